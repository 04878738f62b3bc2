import * as fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { z } from "zod";
import { generate } from "../values.suite.ts";
import { deviceMessages, parseDeviceMessage } from "./inbound.ts";
import { ProtocolError } from "../errors.ts";

const parse = (message: unknown) => parseDeviceMessage(JSON.stringify(message));
const opaqueFields = ["payload", "descriptors", "states"];
/** Writes a message as a device does: fields that are JSON text as values. */
const write = (message: object) =>
  Object.fromEntries(
    Object.entries(message).map(([name, value]) => [
      name,
      opaqueFields.includes(name) && typeof value === "string" ? (JSON.parse(value) as unknown) : value,
    ]),
  );
const isWritable = (message: object) => {
  try {
    return write(message);
  } catch {
    return undefined;
  }
};
const refused = (code: string, field: string) =>
  expect.objectContaining({ name: "ProtocolError", code, field }) as Error;

describe.each(Object.entries(deviceMessages))("device message %s", (type, schema: z.ZodType) => {
  it("round trip: what was parsed parses again to the same", () => {
    fc.assert(
      fc.property(generate(schema), (value) => {
        // JSON knows no -0.
        const sent = JSON.parse(JSON.stringify(value)) as object;
        fc.pre(isWritable(sent) !== undefined);
        const once = parse(write(sent));
        expect(once?.type).toBe(type);
        expect(once).toEqual(schema.parse(sent));
      }),
      { numRuns: 50 },
    );
  });

  it("unknown fields: do no harm", () => {
    fc.assert(
      fc.property(generate(schema), fc.jsonValue(), (value, extra) => {
        fc.pre(isWritable(value as object) !== undefined);
        const sent = { ...write(value as object), session_id: extra, fieldOfTomorrow: extra };
        expect(parse(sent)).toEqual(parse(write(value as object)));
      }),
      { numRuns: 20 },
    );
  });
});

describe("parseDeviceMessage", () => {
  it.each(["", "{", '{"type":"abort","reason":"a"b"}'])("no JSON: %j is refused as bad-json", (text) => {
    expect(() => parseDeviceMessage(text)).toThrow(refused("bad-json", "message"));
  });

  it.each(["null", "5", '"hello"', "[]"])("no object: %s is refused as bad-json", (text) => {
    expect(() => parseDeviceMessage(text)).toThrow(refused("bad-json", "message"));
  });

  it.each(['{"type":5}', "{}", '{"type":null}'])("no type: %s is refused as bad-json", (text) => {
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
    ["mcp with a payload that is no object", { type: "mcp", payload: "[]" }, "payload"],
    ["mcp with a payload over 16 KB of UTF-8", { type: "mcp", payload: { text: "你".repeat(5500) } }, "payload"],
    ["iot with states that are no list", { type: "iot", states: {} }, "states"],
    ["iot with descriptors that are a text", { type: "iot", descriptors: "[]" }, "descriptors"],
  ])("%s: refused as bad-message, naming the field", (_what, message, field) => {
    expect(() => parse(message)).toThrow(refused("bad-message", field));
  });

  it.each([
    ["nested too deeply", `{"type":"mcp","payload":${'{"a":'.repeat(24)}1${"}".repeat(24)}}`, "message"],
    ["of 1100 values", `{"type":"mcp","payload":[${"1,".repeat(1100)}1]}`, "message"],
    ["of 1100 fields", `{"type":"ping"${',"k":1'.repeat(1100)}}`, "message"],
  ])("a message %s: refused", (_what, text, field) => {
    expect(() => parseDeviceMessage(text)).toThrow(refused("bad-message", field));
  });

  it.each([
    ["stock firmware", { version: 1, features: { mcp: true }, transport: "websocket", audio_params: { format: "opus", sample_rate: 16000, channels: 1, frame_duration: 60 } }, 60, { mcp: true }], // prettier-ignore
    ["a desktop client of 20 ms", { version: 1, transport: "websocket", audio_params: { format: "opus", sample_rate: 16000, channels: 1, frame_duration: 20 } }, 20, {}], // prettier-ignore
    ["a web page", { device_id: "AA:BB:CC:DD:EE:FF", device_name: "x", device_mac: "y", features: { mcp: true, emoji: true, notes: ["x"] } }, undefined, { mcp: true }], // prettier-ignore
    ["a load tool with other spellings", { audioParams: { sampleRate: 16000, frameDuration: 40 } }, 40, {}],
    ["nothing but a type", {}, undefined, {}],
    ["features: null", { features: null }, undefined, {}],
    ["a feature that is no boolean", { features: { mcp: { "": "x" } } }, undefined, {}],
  ])("hello: of %s is taken, with the features that programs use", (_who, hello, frameDuration, features) => {
    const message = parse({ type: "hello", ...hello });
    if (message?.type !== "hello") throw new Error("no hello");
    expect((message.audio_params ?? message.audioParams)?.frameDuration).toBe(frameDuration);
    expect(message.features).toEqual(features);
  });

  it.each([
    ["version", "newest"],
    ["version", [1]],
    ["version", 1e9],
    ["transport", 5],
    ["transport", "w".repeat(65)],
    ["audio_params", "opus"],
    ["audio_params", []],
    ["audio_params.format", 5],
    ["audio_params.sample_rate", 1e300],
    ["audio_params.channels", "mono"],
    ["audio_params.frame_duration", {}],
    ["audioParams", 16_000],
  ])("hello: %s of %j is left out and reported, and the rest is taken", (field, value) => {
    const [outer = "", inner] = field.split(".");
    const sound = { sample_rate: 48_000, frame_duration: 20 };
    const odd = inner === undefined ? value : { ...sound, [inner]: value };
    const hello = { type: "hello", features: { mcp: true }, audio_params: sound, [outer]: odd };
    const left: string[] = [];
    const message = parseDeviceMessage(JSON.stringify(hello), (field) => left.push(field));
    expect(message).toMatchObject({ type: "hello", features: { mcp: true } });
    expect(left).toEqual([field]);
    if (inner === undefined && outer !== "audio_params")
      expect(message).toMatchObject({ audio_params: { sampleRate: 48_000, frameDuration: 20 } });
    if (inner === "channels") expect(message).toMatchObject({ audio_params: { sampleRate: 48_000 } });
  });

  it("hello: numbers may be texts", () => {
    const hello = { type: "hello", version: "3", audio_params: { sample_rate: "48000", frame_duration: "20" } };
    expect(parse(hello)).toMatchObject({ version: 3, audio_params: { sampleRate: 48_000, frameDuration: 20 } });
  });

  it("abort: a reason that is no text is left out, and the abort is taken", () => {
    expect(parse({ type: "abort", reason: { code: 1 } })).toEqual({ type: "abort" });
    expect(parse({ type: "abort", reason: "x".repeat(1025) })).toEqual({ type: "abort" });
  });

  it.each<[object, object]>([
    [{ type: "hello", version: null, transport: null, features: null, audio_params: null, audioParams: null }, {}],
    [{ type: "hello", features: { mcp: null }, audio_params: { format: null, sample_rate: null } }, {}],
    [{ type: "listen", state: "start", mode: null, session_id: null }, { mode: "auto" }],
    [{ type: "listen", state: "stop", mode: null }, { state: "stop" }],
    [{ type: "listen", state: "detect", text: null }, { text: "" }],
    [{ type: "abort", reason: null }, {}],
    [{ type: "iot", descriptors: null, states: [] }, { states: "[]" }],
    [{ type: "iot", descriptors: null, states: null }, {}],
    [{ type: "goodbye", session_id: null }, {}],
    [{ type: "ping", timestamp: null }, {}],
  ])("null is absent: %j", (message, expected) => {
    const left: string[] = [];
    const parsed = parseDeviceMessage(JSON.stringify(message), (field) => left.push(field));
    expect(parsed).toMatchObject(expected);
    expect(JSON.stringify(parsed)).not.toContain("null");
    expect(left).toEqual([]);
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

  it("broken UTF-16: halves of surrogate pairs are replaced", () => {
    const detect = (text: string) => parseDeviceMessage(`{"type":"listen","state":"detect","text":"${text}"}`);
    expect(detect(String.raw`a\ud83d`)).toMatchObject({ text: "a\ufffd" });
    expect(detect(String.raw`\uDE00b`)).toMatchObject({ text: "\ufffdb" });
    expect(detect(String.raw`\ud83d\ude00 \\ud83d`)).toMatchObject({ text: "😀 \\ud83d" });
    const deep = `{"type":"ping","a":"\\ud83d","x":${"[".repeat(8000)}${"]".repeat(8000)}}`;
    expect(() => parseDeviceMessage(deep)).toThrow(ProtocolError);
  });

  it("mcp: a payload that is an object's JSON text is that object", () => {
    const payload = '{"id":1,"result":{"text":"\\"你\\""}}';
    expect(parseDeviceMessage(JSON.stringify({ type: "mcp", payload }))).toEqual({ type: "mcp", payload });
    for (const bad of ["", "text", `{"a":${"[".repeat(30)}${"]".repeat(30)}}`])
      expect(() => parseDeviceMessage(JSON.stringify({ type: "mcp", payload: bad }))).toThrow(ProtocolError);
  });

  it("mcp and iot: their values stay JSON text, which is not parsed", () => {
    const states = `[${'{"k":[true,"]}\\""]},'.repeat(200)}0]`;
    const spy = vi.spyOn(JSON, "parse");
    const message = parseDeviceMessage(`{"type":"iot", "states" : ${states} ,"update":true}`);
    expect(spy.mock.calls.filter(([text]) => text.length > 20)).toEqual([]);
    spy.mockRestore();
    expect(message).toEqual({ type: "iot", states });
    const payload = '{"jsonrpc":"2.0","id":1,"__proto__":{}}';
    expect(parseDeviceMessage(`{"payload":{},"type":"mcp","payload":${payload}}`)).toEqual({ type: "mcp", payload });
  });

  it("listen: an unknown or missing mode counts as auto, a missing text as empty", () => {
    expect(parse({ type: "listen", state: "start", mode: "unknown" })).toMatchObject({ mode: "auto" });
    expect(parse({ type: "listen", state: "start" })).toMatchObject({ mode: "auto" });
    expect(parse({ type: "listen", state: "start", mode: "manual" })).toMatchObject({ mode: "manual" });
    expect(parse({ type: "listen", state: "detect" })).toMatchObject({ text: "" });
  });
});
