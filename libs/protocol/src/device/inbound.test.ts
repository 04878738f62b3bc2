import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { generate } from "../values.suite.ts";
import { deviceMessages, parseDeviceMessage } from "./inbound.ts";
import { ProtocolError } from "../errors.ts";

const parse = (message: unknown) => parseDeviceMessage(JSON.stringify(message));
const refused = (code: string, field: string) =>
  expect.objectContaining({ name: "ProtocolError", code, field }) as Error;

describe.each(Object.entries(deviceMessages))("device message %s", (type, schema: z.ZodType) => {
  it("round trip: what was parsed parses again to the same", () => {
    fc.assert(
      fc.property(generate(schema), (value) => {
        // JSON knows no -0.
        const sent = JSON.parse(JSON.stringify(value)) as object;
        const once = parse(sent);
        expect(once?.type).toBe(type);
        expect(once).toEqual(schema.parse(sent));
      }),
      { numRuns: 50 },
    );
  });

  it("unknown fields: do no harm", () => {
    fc.assert(
      fc.property(generate(schema), anyJson, (value, extra) => {
        expect(parse({ ...(value as object), session_id: extra, fieldOfTomorrow: extra })?.type).toBe(type);
      }),
      { numRuns: 20 },
    );
  });
});

// A key `__proto__` is refused wherever it stands.
const anyJson = fc.jsonValue().filter((value) => !JSON.stringify(value).includes("__proto__"));

describe("parseDeviceMessage", () => {
  it.each(["", "{", '{"type":"abort","reason":"a"b"}'])("no JSON: %j is refused as bad-json", (text) => {
    expect(() => parseDeviceMessage(text)).toThrow(refused("bad-json", "message"));
  });

  it.each(["null", "5", '"hello"', "[]", '{"type":5}', "{}"])("no message: %s is refused as bad-json", (text) => {
    expect(() => parseDeviceMessage(text)).toThrow(refused("bad-json", "type"));
  });

  it.each(["sing", "toString", "__proto__", "constructor"])("unknown type: %s gives undefined", (type) => {
    expect(parseDeviceMessage(`{"type":${JSON.stringify(type)}}`)).toBeUndefined();
  });

  it("any text: gives a message, undefined or a ProtocolError, and nothing else", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          parseDeviceMessage(text);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });

  it.each([
    ["listen without a state", { type: "listen" }, "state"],
    ["listen in another state", { type: "listen", state: "pause" }, "state"],
    ["detect with a text that is not one", { type: "listen", state: "detect", text: 5 }, "text"],
    ["mcp without a payload", { type: "mcp" }, "payload"],
    ["mcp with a payload that is no object", { type: "mcp", payload: "x" }, "payload"],
    ["abort with a reason that is no text", { type: "abort", reason: {} }, "reason"],
    ["hello with a version that is no number", { type: "hello", version: "1" }, "version"],
  ])("%s: refused as bad-message, naming the field", (_what, message, field) => {
    expect(() => parse(message)).toThrow(refused("bad-message", field));
  });

  it.each([
    ["nested too deeply", `{"type":"mcp","payload":${'{"a":'.repeat(24)}1${"}".repeat(24)}}`, "message"],
    ["with a field that changes prototypes", '{"type":"mcp","payload":{"a":[{"__proto__":{}}]}}', "__proto__"],
    ["of no possible sound", '{"type":"hello","audio_params":{"sample_rate":1e300}}', "audio_params.sample_rate"],
  ])("a message %s: refused, since no envelope could carry it", (_what, text, field) => {
    expect(() => parseDeviceMessage(text)).toThrow(refused("bad-message", field));
  });

  it.each([
    ["stock firmware", { version: 1, features: { mcp: true }, transport: "websocket", audio_params: { format: "opus", sample_rate: 16000, channels: 1, frame_duration: 60 } }, 60], // prettier-ignore
    ["a desktop client of 20 ms", { version: 1, transport: "websocket", audio_params: { format: "opus", sample_rate: 16000, channels: 1, frame_duration: 20 } }, 20], // prettier-ignore
    ["a web page", { device_id: "AA:BB:CC:DD:EE:FF", device_name: "x", device_mac: "y", features: { mcp: true, emoji: true } }, undefined], // prettier-ignore
    ["a load tool with other spellings", { audioParams: { sampleRate: 16000, frameDuration: 40 } }, 40],
    ["nothing but a type", {}, undefined],
    ["features that are none", { features: null }, undefined],
  ])("hello: of %s is taken", (_who, hello, frameDuration) => {
    const message = parse({ type: "hello", ...hello });
    if (message?.type !== "hello") throw new Error("no hello");
    expect((message.audio_params ?? message.audioParams)?.frameDuration).toBe(frameDuration);
    expect(message.features).toEqual((hello as { features?: object | null }).features ?? {});
  });

  it.each([
    ["mcp", 16_384],
    ["hello", 8192],
  ])("length: %s of at most %i characters passes, and a longer one is refused", (type, most) => {
    const pad = (length: number) => {
      const message = { type, payload: {}, pad: "" };
      return JSON.stringify({ ...message, pad: "x".repeat(length - JSON.stringify(message).length) });
    };
    expect(parseDeviceMessage(pad(most))?.type).toBe(type);
    expect(() => parseDeviceMessage(pad(most + 1))).toThrow(refused("bad-message", "message"));
  });

  it("broken UTF-16: halves of surrogate pairs are replaced in values, and refused in names", () => {
    const detect = (text: string) => parseDeviceMessage(`{"type":"listen","state":"detect","text":"${text}"}`);
    expect(detect(String.raw`a\ud83d`)).toMatchObject({ text: "a\ufffd" });
    expect(detect(String.raw`\uDE00b`)).toMatchObject({ text: "\ufffdb" });
    expect(detect(String.raw`\ud83d\ude00 \\ud83d`)).toMatchObject({ text: "😀 \\ud83d" });
    const nested = parseDeviceMessage(String.raw`{"type":"mcp","payload":{"a":["\ud83d"]}}`);
    expect(nested).toMatchObject({ payload: { a: ["\ufffd"] } });
    const named = String.raw`{"type":"mcp","payload":{"\ud83d":1}}`;
    expect(() => parseDeviceMessage(named)).toThrow(refused("bad-message", "message"));
    const deep = `{"type":"mcp","payload":"\\ud83d","x":${"[".repeat(8000)}${"]".repeat(8000)}}`;
    expect(() => parseDeviceMessage(deep)).toThrow(ProtocolError);
  });

  it("listen: an unknown or missing mode counts as auto, a missing text as empty", () => {
    expect(parse({ type: "listen", state: "start", mode: "unknown" })).toMatchObject({ mode: "auto" });
    expect(parse({ type: "listen", state: "start" })).toMatchObject({ mode: "auto" });
    expect(parse({ type: "listen", state: "start", mode: "manual" })).toMatchObject({ mode: "manual" });
    expect(parse({ type: "listen", state: "detect" })).toMatchObject({ text: "" });
  });
});
