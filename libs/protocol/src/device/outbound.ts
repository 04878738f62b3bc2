import { z } from "zod";
import { jsonText, line, list, map, text, word } from "../envelopes/fields.ts";
import { isObjectText } from "../json-text.ts";
import { unionByType } from "../union.ts";

/** The faces that stock firmware knows; see docs/protocol.md, llm. */
export const emotions = [
  "neutral", "happy", "laughing", "funny", "sad", "angry", "crying", "loving", "embarrassed", "surprised", "shocked",
  "thinking", "winking", "cool", "relaxed", "delicious", "kissy", "confident", "sleepy", "silly", "confused",
] as const; // prettier-ignore
export const Emotion = z.enum(emotions);
export type Emotion = (typeof emotions)[number];

/** The emoji of each face, as other servers send it. Some clients show only that. */
const emojis = new Map<string, string>(
  Object.entries({
    neutral: "😶", happy: "🙂", laughing: "😆", funny: "😂", sad: "😔", angry: "😠", crying: "😭", loving: "😍",
    embarrassed: "😳", surprised: "😯", shocked: "😱", thinking: "🤔", winking: "😉", cool: "😎", relaxed: "😌",
    delicious: "🤤", kissy: "😘", confident: "😏", sleepy: "😴", silly: "😜", confused: "🙄",
  } satisfies Record<Emotion, string>),
); // prettier-ignore

/** The longest text frame for a device, in bytes of JSON: its memory is small. */
export const maxDeviceTextBytes = 8192;

const hex32 = z.string().regex(/^[0-9a-f]{32}$/);

/** The server's answer to a hello; `transport` must be there, or stock firmware crashes. */
export const ServerHello = z.object({
  type: z.literal("hello"),
  transport: z.enum(["websocket", "udp"]),
  /** With the transport `udp`. */
  version: z.literal(3).optional(),
  /** Where a device sends its audio, and how it is encrypted: `key` and `nonce` as 32 hexadecimal digits. */
  udp: z
    .object({
      server: line,
      port: z.number().int().min(1).max(65_535),
      encryption: z.literal("aes-128-ctr"),
      key: hex32,
      nonce: hex32,
    })
    .optional(),
  session_id: z.string().regex(/^[A-Za-z0-9_-]{1,255}$/),
  audio_params: z.object({
    format: z.literal("opus"),
    sample_rate: z.number().int().min(0).max(1_000_000),
    channels: z.literal(1),
    frame_duration: z.number().int().min(0).max(1_000_000),
  }),
});
/** A transcript, to be shown. */
export const ServerStt = z.looseObject({ type: z.literal("stt"), text });
/** The face, and perhaps an emoji. */
export const ServerLlm = z.looseObject({ type: z.literal("llm"), emotion: word, text: text.optional() });
/** Start of speech, subtitle of a sentence, end of speech. */
export const ServerTts = z.looseObject({
  type: z.literal("tts"),
  state: z.enum(["start", "sentence_start", "sentence_end", "stop"]),
  text: text.optional(),
});
/** A JSON-RPC 2.0 message to the device's MCP server, as the JSON text of an object; ids are int32 numbers. */
export const ServerMcp = z.object({
  type: z.literal("mcp"),
  payload: jsonText
    .refine(isObjectText, "must be the JSON text of an object")
    .meta({ maxLength: 16_384, description: "JSON text of an object, at most 16,384 bytes of UTF-8" }),
});
/** A command to the device itself. */
export const ServerSystem = z.looseObject({ type: z.literal("system"), command: line });
/** Shown with a sound; all three strings are required by the firmware. */
export const ServerAlert = z.looseObject({
  type: z.literal("alert"),
  status: text,
  message: text,
  emotion: word,
});
/** For boards built to receive it. */
export const ServerCustom = z.looseObject({ type: z.literal("custom"), payload: map });
/** Legacy commands (firmware up to 1.7). */
export const ServerIot = z.looseObject({ type: z.literal("iot"), commands: list });
/** The server ends the conversation. */
export const ServerGoodbye = z.looseObject({ type: z.literal("goodbye") });
/** The answer to a JSON ping; `timestamp` is `YYYY-MM-DD HH:MM:SS`. */
export const ServerPong = z.looseObject({ type: z.literal("pong"), timestamp: word });
/** A sound to fetch and play while idle (newer firmware). */
export const ServerNotify = z.looseObject({
  type: z.literal("notify"),
  audio_url: text,
  subtitles: list.optional(),
});

/** Every message the server sends to a device, by its `type`; the table is in docs/protocol.md. */
export const serverMessages = {
  hello: ServerHello,
  stt: ServerStt,
  llm: ServerLlm,
  tts: ServerTts,
  mcp: ServerMcp,
  system: ServerSystem,
  alert: ServerAlert,
  custom: ServerCustom,
  iot: ServerIot,
  goodbye: ServerGoodbye,
  pong: ServerPong,
  notify: ServerNotify,
} as const;
export type ServerMessageType = keyof typeof serverMessages;
/** A message to a device, discriminated by `type`. */
export type ServerMessage = z.infer<(typeof serverMessages)[ServerMessageType]>;

/** A message as a device reads it: the payload of `mcp` is an object. */
export type ReceivedMessage =
  | Exclude<ServerMessage, { readonly type: "mcp" }>
  | { readonly type: "mcp"; readonly payload: Readonly<Record<string, unknown>> };

/**
 * Writes a message as a device reads it, with the session's id except in a hello. The payload of `mcp` is copied as it is. A
 * face without an emoji gets one.
 */
export function formatServerMessage(message: ServerMessage, session: string): string {
  if (message.type === "mcp") return `{"type":"mcp","payload":${message.payload},"session_id":"${session}"}`;
  if (message.type === "llm") {
    const { emotion, text = emojis.get(emotion) ?? emojis.get("neutral") } = message;
    return JSON.stringify({ ...message, text, session_id: session });
  }
  return JSON.stringify(message.type === "hello" ? message : { ...message, session_id: session });
}

/** True if a message fits into a text frame for a device. The id of a session has 26 characters. */
export function fitsDevice(message: ServerMessage): boolean {
  const text = formatServerMessage(message, "0".repeat(26));
  return new TextEncoder().encode(text).byteLength <= maxDeviceTextBytes;
}

const { hello: _hello, pong: _pong, ...outTexts } = serverMessages;
/** The text frames that a subscriber may put on `device.<id>.out`. hello and pong are the gateway's own. */
export const OutText = unionByType(outTexts);
export type OutText = z.infer<typeof OutText>;
