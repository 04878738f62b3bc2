import { z } from "zod";
import { Features, jsonText, line, typedText, word } from "../envelopes/fields.ts";
import { namePath, ProtocolError } from "../errors.ts";
import { isObjectText, parseJson, splitObject } from "../json-text.ts";

const number = z.number().min(-1_000_000).max(1_000_000);

// Larger numbers describe no sound, and readers could not take them as integers.
const quantity = z.number().min(0).max(1_000_000);
const maxLength = 16_384;
const maxHelloLength = 8192;
/** Fields whose values the gateway passes on as JSON text. Parsing costs more the more a device sends. */
const opaque = { mcp: ["payload"], iot: ["descriptors", "states"] } as const;

const objectText = jsonText.refine((text) => text.startsWith("{"), "must be an object");
const listText = jsonText.refine((text) => text.startsWith("["), "must be a list");

/** Audio parameters of a hello, in the spellings that clients use. */
const AudioParams = z
  .object({
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
export const DeviceHello = z.object({
  type: z.literal("hello"),
  version: number.optional(),
  transport: word.optional(),
  features: Features.catch({}).default({}),
  audio_params: AudioParams.optional(),
  audioParams: AudioParams.optional(),
});
export type DeviceHello = z.infer<typeof DeviceHello>;

/** Capture starts. An unknown mode counts as `auto`. */
export const DeviceListenStart = z.object({
  type: z.literal("listen"),
  state: z.literal("start"),
  mode: z.enum(["auto", "manual", "realtime"]).catch("auto"),
});
/** The button was released: end of the utterance. */
export const DeviceListenStop = z.object({ type: z.literal("listen"), state: z.literal("stop") });
/** A wake word, or typed text. */
export const DeviceListenDetect = z.object({
  type: z.literal("listen"),
  state: z.literal("detect"),
  text: typedText.default(""),
});
/** Listen in its three states. */
export const DeviceListen = z.discriminatedUnion("state", [DeviceListenStart, DeviceListenStop, DeviceListenDetect]);
/** Stop speaking now. */
export const DeviceAbort = z.object({ type: z.literal("abort"), reason: line.optional() });
/** A JSON-RPC 2.0 message of the device's MCP server. The payload is an object's JSON text. */
export const DeviceMcp = z.object({ type: z.literal("mcp"), payload: objectText });
/** Legacy device descriptors and states (firmware up to 1.7): JSON texts. */
export const DeviceIot = z.object({
  type: z.literal("iot"),
  descriptors: listText.optional(),
  states: listText.optional(),
});
/** The device closes its channel. */
export const DeviceGoodbye = z.object({ type: z.literal("goodbye") });
/** A sign of life that wants a pong. */
export const DevicePing = z.object({ type: z.literal("ping") });

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

/** Messages that are taken without an optional field that is malformed: none of these fields changes what is asked for. */
const forgiving: readonly DeviceMessageType[] = ["hello", "abort"];
const numerals = ["version", "sample_rate", "channels", "frame_duration", "sampleRate", "frameDuration"];

/**
 * Parses a device's text frame. Unknown fields are left out, and `null` is absent. An unknown type gives undefined, since
 * devices differ. In a hello and an abort, a malformed optional field is left out too, and `onLeftOut` gets its name.
 * Throws `bad-json` when the frame is not a JSON object with a string `type`, and `bad-message` naming the field when it is
 * malformed, too long, nests too deeply or holds too much.
 */
export function parseDeviceMessage(text: string, onLeftOut?: (field: string) => void): DeviceMessage | undefined {
  if (text.length > maxLength)
    throw new ProtocolError("bad-message", "message", `a message has at most ${maxLength} characters`);
  const fields = splitObject(text);
  if (fields === undefined) throw new ProtocolError("bad-json", "message", "the text frame is not a JSON object");
  const type = parseJson(fields.get("type") ?? "");
  if (typeof type !== "string") throw new ProtocolError("bad-json", "type", "a message has a string `type`");
  if (!isKnown(type)) return undefined;
  if (type === "hello" && text.length > maxHelloLength)
    throw new ProtocolError("bad-message", "message", `a hello has at most ${maxHelloLength} characters`);
  const value = type === "mcp" || type === "iot" ? pickOpaque(type, fields) : normalize(parseJson(text));
  if (value === undefined) throw new ProtocolError("bad-json", "message", "the text frame is not JSON");
  const result = deviceMessages[type].safeParse(value);
  if (result.success) return result.data;
  const { issues } = result.error;
  if (forgiving.includes(type)) {
    const left = issues.map(({ path }) => path);
    const rest = deviceMessages[type].safeParse(left.reduce(removeAt, value));
    if (rest.success) {
      for (const path of left) onLeftOut?.(namePath(path, "message"));
      return rest.data;
    }
  }
  const field = namePath(issues[0]?.path, "message");
  throw new ProtocolError("bad-message", field, `${type}: ${field}: ${issues[0]?.message ?? "invalid"}`);
}

function isKnown(type: string): type is DeviceMessageType {
  return Object.hasOwn(deviceMessages, type);
}

function pickOpaque(type: keyof typeof opaque, fields: ReadonlyMap<string, string>): object {
  const known: readonly string[] = opaque[type];
  const given = [...fields].filter(([name, text]) => known.includes(name) && text !== "null");
  return { type, ...Object.fromEntries(given.map(([name, text]) => [name, unwrap(text)])) };
}

/** Gives the object whose JSON text a JSON text holds: some clients encode twice. Anything else stays as it is. */
function unwrap(text: string): string {
  const inner = text.startsWith('"') ? parseJson(text) : undefined;
  return typeof inner === "string" && isObjectText(inner) ? inner.trim() : text;
}

/** Leaves out fields that are null, and reads the numbers of a hello that are written as texts. */
function normalize(value: unknown): unknown {
  if (!isObject(value)) return value;
  const fields = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(
    fields.map(([name, field]) => {
      const isNumeral = typeof field === "string" && numerals.includes(name) && /^\d{1,6}$/.test(field);
      return [name, isNumeral ? Number(field) : normalize(field)];
    }),
  );
}

/** Gives a copy without the field at `path`. */
function removeAt(value: unknown, [name = "", ...rest]: readonly PropertyKey[]): unknown {
  if (!isObject(value)) return value;
  const { [name]: field, ...others } = value as Record<PropertyKey, unknown>;
  return rest.length === 0 || !isObject(field) ? others : { ...others, [name]: removeAt(field, rest) };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
