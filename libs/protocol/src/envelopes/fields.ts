import { z } from "zod";
import { isName, namePattern } from "../ids.ts";

/** The major version of the bus contract that this library speaks: the field `v` of every message. */
export const busVersion = 1;
/** The most bytes of an audio packet: framing 3 has a 16-bit length. */
export const maxPacketBytes = 65_535;
/** One Opus packet; any Uint8Array, Buffers too. */
export const packet = z
  .custom<Uint8Array>(
    (value) => value instanceof Uint8Array && value.byteLength <= maxPacketBytes,
    `must be binary, at most ${maxPacketBytes} bytes`,
  )
  .meta(asBase64(maxPacketBytes));
/** The duration of an Opus packet in ms: what RFC 6716 allows. */
export const packetMs = z.number().min(2.5).max(120).describe("ms");
/** An encoded envelope, at most as long as NATS carries by default. */
export const encoded = z
  .custom<Uint8Array>(
    (value) => value instanceof Uint8Array && value.byteLength <= 1_048_576,
    "must be binary, at most 1,048,576 bytes",
  )
  .meta(asBase64(1_048_576));
/** The id of a session, a gateway or a group: a name that cannot widen a subject. */
export const name = z
  .string()
  .refine(isName, "must be 1 to 64 characters of A-Z a-z 0-9 _ -")
  .meta({ pattern: namePattern.source });
/** The place of a frame among its session's published inbound frames, from 1. */
export const seq = z.number().int().min(1).max(0xffff_ffff);
/** A count from 0. */
export const count = z.number().int().min(0).max(0xffff_ffff);
/** The latest time of a JavaScript date, ms since the epoch. */
const maxTime = 8_640_000_000_000_000;
/** ms since the epoch. */
export const at = z.number().int().min(0).max(maxTime).describe("ms since 1970");
/** A time in ms since the epoch, or a duration in ms, which need not be whole. */
export const time = z.number().min(0).max(maxTime).describe("ms, of a duration or since 1970");
/** A measured number, such as a sum of bytes. */
export const amount = z.number().min(-1e15).max(1e15);
/** The number of a job's delivery, from 1. */
export const attempt = z.number().int().min(1).max(0xffff_ffff).describe("which delivery of the work, from 1");
/** The id of a reply. */
export const reply = z.string().min(1).max(160);
/** A word of a fixed vocabulary, an id or a setting. */
export const word = z.string().max(64);
/** A BCP 47 tag that `Intl` takes. */
export const language = word
  .refine(isLanguage, "must be a BCP 47 language such as en or zh-CN")
  .meta({ pattern: "^[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*$", description: "a BCP 47 language that ECMAScript's Intl takes" });
/** A line for people or logs: a reason, an address, a title. */
export const line = z.string().max(1024);
/** A map of anything, with at most 1024 keys. */
export const map = z
  .record(z.string().max(1024), z.unknown())
  .refine(hasFewKeys, "must have at most 1024 keys")
  .meta({ maxProperties: 1024 });
/** A list of anything, with at most 1024 elements. */
export const list = z.array(z.unknown()).max(1024);
/** Text that people typed, spoke or hear, at most 65,536 characters. */
export const text = z.string().max(65_536);
/** The outcome of a reply that is no answer (`turnOutcomes`). */
export const ReplyOutcome = z.enum(["nothing-to-say", "failed"]);
export type ReplyOutcome = z.infer<typeof ReplyOutcome>;
/** Text that a person typed, at most 4096 bytes of UTF-8. */
export const typedText = z
  .string()
  .refine((text) => fits(text, 4096), "must be at most 4096 bytes")
  .meta({ maxLength: 4096, description: "at most 4096 bytes of UTF-8" });
/** JSON text that only the programs which need it parse, at most 16,384 bytes of UTF-8. It need not be valid JSON. */
export const jsonText = z
  .string()
  .refine((text) => fits(text, 16_384), "must be at most 16,384 bytes")
  .meta({ maxLength: 16_384, description: "JSON text of at most 16,384 bytes of UTF-8" });
/** The features in a device's hello that programs use. Others are left out. */
export const Features = z.object({
  /** The device has an MCP server. */
  mcp: z.boolean().optional(),
});
export type Features = z.infer<typeof Features>;

/** True for a language that `Intl` takes. Given to `Intl`, any other throws. */
export function isLanguage(tag: string): boolean {
  try {
    return new Intl.Locale(tag).language !== "";
  } catch {
    return false;
  }
}

/** True for a map of at most 1024 keys. */
export function hasFewKeys(map: object): boolean {
  return Object.keys(map).length <= 1024;
}

/** Describes bytes for JSON Schema: base64 of at most `bytes` bytes. */
function asBase64(bytes: number) {
  return {
    type: "string",
    contentEncoding: "base64",
    pattern: "^[A-Za-z0-9+/]*={0,2}$",
    maxLength: Math.ceil(bytes / 3) * 4,
    description: `binary, at most ${bytes} bytes`,
  };
}

function fits(text: string, bytes: number): boolean {
  return text.length * 3 <= bytes || (text.length <= bytes && new TextEncoder().encode(text).byteLength <= bytes);
}
