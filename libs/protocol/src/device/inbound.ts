import { z } from "zod";
import { line, list, map, typedText, word } from "../envelopes/fields.ts";
import { ProtocolError } from "../errors.ts";

const number = z.number().min(-1_000_000).max(1_000_000);

// Larger numbers describe no sound, and readers could not take them as integers.
const quantity = z.number().min(0).max(1_000_000);
// Text frames are UTF-8, so half a surrogate pair can only come from an escape.
const surrogateEscape = /\\u[dD][89a-fA-F]/;
const maxLength = 16_384;
const maxHelloLength = 8192;
const maxDepth = 24;
const maxValues = 1024;

/** Audio parameters of a hello, in the spellings that clients use. */
const AudioParams = z
  .looseObject({
    format: word.optional(),
    sample_rate: quantity.optional(),
    channels: quantity.optional(),
    frame_duration: quantity.optional(),
    sampleRate: quantity.optional(),
    frameDuration: quantity.optional(),
  })
  .transform((p) => ({
    format: p.format ?? "opus",
    sampleRate: p.sample_rate ?? p.sampleRate ?? 16000,
    frameDuration: p.frame_duration ?? p.frameDuration ?? 60,
  }));

/** A device's first text frame. Only `type` is universal; see docs/protocol.md, hello. */
export const DeviceHello = z.looseObject({
  type: z.literal("hello"),
  version: number.optional(),
  transport: word.optional(),
  features: map.catch({}).default({}),
  audio_params: AudioParams.optional(),
  audioParams: AudioParams.optional(),
});
export type DeviceHello = z.infer<typeof DeviceHello>;

/** Capture starts. An unknown mode counts as `auto`. */
export const DeviceListenStart = z.looseObject({
  type: z.literal("listen"),
  state: z.literal("start"),
  mode: z.enum(["auto", "manual", "realtime"]).catch("auto"),
});
/** The button was released: end of the utterance. */
export const DeviceListenStop = z.looseObject({ type: z.literal("listen"), state: z.literal("stop") });
/** A wake word, or typed text. */
export const DeviceListenDetect = z.looseObject({
  type: z.literal("listen"),
  state: z.literal("detect"),
  text: typedText.default(""),
});
/** Listen in its three states. */
export const DeviceListen = z.discriminatedUnion("state", [DeviceListenStart, DeviceListenStop, DeviceListenDetect]);
/** Stop speaking now. */
export const DeviceAbort = z.looseObject({ type: z.literal("abort"), reason: line.optional() });
/** A JSON-RPC 2.0 message of the device's MCP server. */
export const DeviceMcp = z.looseObject({ type: z.literal("mcp"), payload: map });
/** Legacy device descriptors and states (firmware up to 1.7). */
export const DeviceIot = z.looseObject({
  type: z.literal("iot"),
  update: z.boolean().optional(),
  descriptors: list.optional(),
  states: list.optional(),
});
/** The device closes its channel. */
export const DeviceGoodbye = z.looseObject({ type: z.literal("goodbye") });
/** A sign of life that wants a pong. */
export const DevicePing = z.looseObject({ type: z.literal("ping") });

/** Every message a device may send, by its `type`; the table is in docs/protocol.md. */
export const deviceMessages = {
  hello: DeviceHello,
  listen: DeviceListen,
  abort: DeviceAbort,
  mcp: DeviceMcp,
  iot: DeviceIot,
  goodbye: DeviceGoodbye,
  ping: DevicePing,
} as const;
export type DeviceMessageType = keyof typeof deviceMessages;
/** A parsed message of a device, discriminated by `type` (and `state` for listen). */
export type DeviceMessage = z.infer<(typeof deviceMessages)[DeviceMessageType]>;

/**
 * Parses a device's text frame. An unknown type gives undefined, since devices differ. Throws `bad-json` when it is not a
 * JSON object with a string `type`, and `bad-message` naming the field when it is malformed, nests deeper than 24
 * levels or holds more than 1024 values.
 */
export function parseDeviceMessage(text: string): DeviceMessage | undefined {
  if (text.length > maxLength)
    throw new ProtocolError("bad-message", "message", `a message has at most ${maxLength} characters`);
  let value: unknown;
  try {
    value = surrogateEscape.test(text) ? JSON.parse(text, repair) : JSON.parse(text);
  } catch (cause) {
    throw new ProtocolError("bad-json", "message", "the text frame is not JSON", { cause });
  }
  if (typeof value !== "object" || value === null || !("type" in value) || typeof value.type !== "string") {
    throw new ProtocolError("bad-json", "type", "a message is a JSON object with a string `type`");
  }
  if (!Object.hasOwn(deviceMessages, value.type)) return undefined;
  if (value.type === "hello" && text.length > maxHelloLength)
    throw new ProtocolError("bad-message", "message", `a hello has at most ${maxHelloLength} characters`);
  checkStructure(value);
  const result = deviceMessages[value.type as DeviceMessageType].safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.join(".") || "message";
  throw new ProtocolError("bad-message", field, `${value.type}: ${field}: ${issue?.message ?? "invalid"}`);
}

/** Replaces halves of surrogate pairs, which UTF-8 cannot express, by U+FFFD. */
function repair(_key: string, value: unknown): unknown {
  return typeof value === "string" ? value.toWellFormed() : value;
}

// The message travels on in an envelope, which every reader must accept.
function checkStructure(message: object): void {
  let count = 0;
  const check = (value: object, depth: number): void => {
    if (depth > maxDepth)
      throw new ProtocolError("bad-message", "message", `a message nests at most ${maxDepth} levels`);
    if (Object.hasOwn(value, "__proto__"))
      throw new ProtocolError("bad-message", "__proto__", "no field may have this name");
    if (!Object.keys(value).every((key) => key.isWellFormed()))
      throw new ProtocolError("bad-message", "message", "the names of fields must be well-formed Unicode");
    const values = Object.values(value) as unknown[];
    count += values.length;
    if (count > maxValues)
      throw new ProtocolError("bad-message", "message", `a message holds at most ${maxValues} values`);
    for (const inner of values) if (typeof inner === "object" && inner !== null) check(inner, depth + 1);
  };
  check(message, 1);
}
