import { encode } from "@msgpack/msgpack";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { generate } from "../values.suite.ts";
import { decodeEnvelope, encodeEnvelope } from "./codec.ts";
import { busVersion } from "./fields.ts";
import { envelopes } from "../channels.ts";
import { Outbound } from "./outbound.ts";
import { Heard } from "./turns.ts";
import { ProtocolError, type ProtocolErrorCode } from "../errors.ts";

const heard: Heard = { session: "s", listen: 1, utterance: 1, from: 2, origin: 9, text: "hello", language: "en" };

function catchError(act: () => unknown): ProtocolError {
  try {
    act();
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
const refused = (code: ProtocolErrorCode, field: string) => expect.objectContaining({ code, field }) as object;

describe.each(Object.entries<z.ZodType>(envelopes))("envelope %s", (_name, schema) => {
  const arbitrary = generate(schema);

  it("round trip: every value comes back as it was", () => {
    fc.assert(
      fc.property(arbitrary, (value) => {
        expect(decodeEnvelope(schema, encodeEnvelope(z.any(), value as object))).toEqual(value);
      }),
      { numRuns: 50 },
    );
  });

  it("newer version: refused by name, whatever else the message holds", () => {
    const newer = fc.record({ v: fc.integer({ min: busVersion + 1, max: 1000 }), body: fc.anything() });
    fc.assert(
      fc.property(newer, ({ v }) => {
        const data = encodeEnvelope(z.any(), { v, entirely: "different" });
        expect(catchError(() => decodeEnvelope(schema, data))).toEqual(refused("newer-version", "v"));
      }),
      { numRuns: 10 },
    );
  });

  it("unknown fields: ignored", () => {
    fc.assert(
      fc.property(arbitrary, (value) => {
        const data = encodeEnvelope(z.any(), { ...(value as object), fieldOfTomorrow: { a: [1] } });
        expect(decodeEnvelope(schema, data)).toEqual(value);
      }),
      { numRuns: 20 },
    );
  });

  it("malformed: whatever bytes come, they decode or are refused by a ProtocolError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (data) => {
        expect(["bad-envelope", "newer-version"]).toContain(catchError(() => decodeEnvelope(schema, data)).code);
      }),
      { numRuns: 50 },
    );
  });

  it("truncated: refused at every length", () => {
    const [value] = fc.sample(arbitrary, { numRuns: 1, seed: 7 });
    const data = encodeEnvelope(z.any(), value as object);
    for (let length = 0; length < data.byteLength; length += 1) {
      const error = catchError(() => decodeEnvelope(schema, data.subarray(0, length)));
      expect(error).toEqual(refused("bad-envelope", "envelope"));
    }
  });
});

describe("decodeEnvelope", () => {
  it.each([
    ["a missing field", { ...heard, origin: undefined }, "origin"],
    ["a wrong type", { ...heard, text: 5 }, "text"],
    ["a seq of 0", { ...heard, origin: 0 }, "origin"],
    ["a seq that is no integer", { ...heard, origin: 1.5 }, "origin"],
    ["a session that widens a subject", { ...heard, session: "a.b" }, "session"],
    ["a version of 0", { ...heard, v: 0 }, "v"],
  ])("%s: refused, naming the field", (_what, value, field) => {
    expect(catchError(() => decodeEnvelope(Heard, encodeEnvelope(z.any(), value)))).toEqual(
      refused("bad-envelope", field),
    );
  });

  it("a body that is no binary: refused for audio", () => {
    const frame = { kind: "audio", duration: 60, body: "text" };
    expect(catchError(() => decodeEnvelope(Outbound, encodeEnvelope(z.any(), frame)))).toEqual(
      refused("bad-envelope", "body"),
    );
  });

  it("no map: refused", () => {
    expect(catchError(() => decodeEnvelope(Heard, encode([1, 2, 3])))).toEqual(refused("bad-envelope", "envelope"));
  });

  it("bytes behind the message: refused", () => {
    const data = Buffer.concat([encodeEnvelope(z.any(), heard), Uint8Array.of(0xc0)]);
    expect(catchError(() => decodeEnvelope(Heard, data)).code).toBe("bad-envelope");
  });

  it("limits: a text of 65,536 characters passes, one more is refused", () => {
    const long = { ...heard, text: "x".repeat(65_536) };
    expect(decodeEnvelope(Heard, encodeEnvelope(z.any(), long)).text).toHaveLength(65_536);
    const longer = encodeEnvelope(z.any(), { ...long, text: `${long.text}x` });
    expect(catchError(() => decodeEnvelope(Heard, longer)).field).toBe("text");
  });
});

describe("encodeEnvelope", () => {
  it("halves of surrogate pairs, which UTF-8 cannot express: are replaced, wherever they are", () => {
    const [half, whole] = ["a\ud800", "a\ufffd"];
    const given = { text: half, list: [half, { [half]: half }], pair: "👩‍🚀", body: Uint8Array.of(1), at: 1 };
    const read = decodeEnvelope(z.any(), encodeEnvelope(z.any(), given)) as unknown;
    expect(read).toEqual({ ...given, v: 1, text: whole, list: [whole, { [whole]: whole }] });
  });

  it("a value that contains itself: is refused at once", () => {
    const parent: Record<string, unknown> = {};
    for (let n = 0; n < 10; n += 1) parent[`child${n}`] = { parent, text: "a\ud800" };
    expect(() => encodeEnvelope(z.any(), parent)).toThrow("deep");
  });

  it("undefined fields: left out", () => {
    expect(encodeEnvelope(z.any(), { ...heard, confidence: undefined })).toEqual(encodeEnvelope(z.any(), heard));
  });

  it("bytes: are the caller's own, untouched by the next call", () => {
    const first = encodeEnvelope(z.any(), heard);
    const copy = Uint8Array.from(first);
    encodeEnvelope(z.any(), { ...heard, text: "something else" });
    expect(first).toEqual(copy);
  });
});

describe("an error of a malformed message", () => {
  const secret = "private_9f3";
  const keys = ["x".repeat(60_000), "my secret", "__proto__", "a\nb"];

  it.each(Object.entries<z.ZodType>(envelopes))(
    "%s: names the field in 128 characters, and no value",
    (_name, schema) => {
      fc.assert(
        fc.property(generate(schema), fc.constantFrom(...keys), fc.nat(), (value, key, at) => {
          const spoiled = spoil(value as Record<string, unknown>, { secret, key, at });
          const error = catchErrorOf(() => decodeEnvelope(schema, encodeEnvelope(z.any(), spoiled)));
          if (error === undefined) return;
          expect(error.field.length).toBeLessThanOrEqual(128);
          expect(`${error.field} ${error.message}`).not.toContain(secret);
          expect(error.message.length).toBeLessThan(2000);
          expect(`${error.field} ${error.message}`).not.toMatch(/xxx|my secret|\n/);
        }),
        { numRuns: 60 },
      );
    },
  );
});

/** Replaces one value somewhere by a secret one, and adds a secret value under `key` to the map that holds it. */
function spoil(
  value: Readonly<Record<string, unknown>>,
  how: { readonly secret: string; readonly key: string; readonly at: number },
): Record<string, unknown> {
  const { secret, key, at } = how;
  const names = Object.keys(value);
  const name = names[at % Math.max(1, names.length)];
  if (name === undefined) return { [key]: [secret] };
  const inner = value[name];
  const isMap = typeof inner === "object" && inner !== null && !(inner instanceof Uint8Array) && !Array.isArray(inner);
  if (isMap) return { ...value, [name]: spoil(inner as Record<string, unknown>, { ...how, at: at >> 2 }) };
  return { ...value, [name]: { [secret]: secret }, [key]: { [secret]: secret } };
}

function catchErrorOf(act: () => unknown): ProtocolError | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
}
