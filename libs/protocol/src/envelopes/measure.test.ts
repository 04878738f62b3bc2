import { z } from "zod";
import { describe, expect, it } from "vitest";
import { decodeEnvelope, encodeEnvelope } from "./codec.ts";
import { InControlFrame } from "./inbound.ts";
import { Outbound } from "./outbound.ts";
import { checkMessagePack } from "./measure.ts";

const refused = expect.objectContaining({ name: "ProtocolError", code: "bad-envelope", field: "envelope" }) as Error;
const decode = (hex: string) => decodeEnvelope(InControlFrame, Buffer.from(hex, "hex"));
const frame = (payload: object) => ({ kind: "text", body: { type: "custom", payload } });
const nest = (levels: number): object => (levels === 1 ? {} : { in: nest(levels - 1) });

describe("checkMessagePack", () => {
  it.each([
    ["arrays in arrays, each said to be long", "dd01ffffff".repeat(200)],
    ["an array longer than the message", "ddffffffff"],
    ["a map longer than the message", "dfffffffff"],
    ["a text longer than the message", "dbffffffff61"],
    ["binary longer than the message", "c6ffffffff00"],
    ["an extension longer than the message", "c9ffffffff0100"],
    ["a number that is cut off", "cf00"],
    ["nothing", ""],
    ["a thousand arrays in each other", `${"91".repeat(1000)}00`],
  ])("%s: refused before any room is made for it", (_what, hex) => {
    expect(() => decode(hex)).toThrow(refused);
  });

  it("32 levels: pass; one more can neither be written nor read", () => {
    const deepest = frame(nest(30));
    expect(decodeEnvelope(Outbound, encodeEnvelope(z.any(), deepest))).toEqual(deepest);
    expect(() => encodeEnvelope(z.any(), frame(nest(32)))).toThrow("Too deep");
    expect(() => decode(`${"81a161".repeat(33)}00`)).toThrow(refused);
  });

  it.each([
    ["bytes that begin no character", "81a161a2fffe"],
    ["half a surrogate pair", "81a161a3eda080"],
    ["a character that breaks off, as a key", "81a1c3c0"],
    ["the same behind many letters", `81a161d946${"61".repeat(69)}c3`],
    ["the same in a long text", `81a161da0100${"61".repeat(255)}c3`],
  ])("a text with %s: refused", (_what, hex) => {
    const data = Buffer.from(hex, "hex");
    expect(() => checkMessagePack(data)).toThrow("the message holds a text that is not UTF-8");
  });

  it("texts in UTF-8, and any bytes: pass", () => {
    for (const text of ["é", "晚饭", `${"a".repeat(70)}👩‍🚀`, "", "\u0000", "\ufffd"])
      expect(() => checkMessagePack(encodeEnvelope(z.any(), { text, body: Uint8Array.of(0xff, 0xfe) }))).not.toThrow();
  });

  it.each([
    ["an array", "81a161dd00000001c0"],
    ["a map", "81a161df00000001a162c0"],
  ])("%s with a length of 32 bits: passed over", (_what, hex) => {
    expect(() => checkMessagePack(Buffer.from(hex, "hex"))).not.toThrow();
  });

  it("every kind of value: passed over by its length", () => {
    const values = [
      null,
      true,
      1.5,
      -1,
      2 ** 40,
      -(2 ** 40),
      300,
      70_000,
      "a".repeat(40),
      "b".repeat(300),
      "c".repeat(70_000),
    ];
    const payload = {
      values,
      bytes: [new Uint8Array(5), new Uint8Array(300), new Uint8Array(70_000)],
      at: new Date(5),
    };
    const wide = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`k${at}`, at]));
    for (const sent of [frame(payload), frame({ list: Array.from({ length: 20_000 }, () => 0) }), frame(wide)]) {
      expect(decodeEnvelope(Outbound, encodeEnvelope(z.any(), sent))).toEqual(sent);
    }
  });
});
