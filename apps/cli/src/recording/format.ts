import { z } from "zod";
import { decodeMap, describeProblem, frame } from "../frames.ts";

/** The version of the file format. A reader refuses a newer one. docs/recordings.md specifies the format. */
export const recordingVersion = 1;
/** The largest record in bytes. A larger message is not recorded, and is counted. */
export const maxRecordBytes = 2 * 1_048_576;

const format = "voxbus-recording";
const time = z.number().min(0).max(8_640_000_000_000_000);
const count = z.number().int().min(0).max(0xffff_ffff);
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, "must be bytes");

/** The first record of a file. `at` is the start of the recording, ms since 1970. Without `devices` it is of the whole fleet. */
export const RecordingHeader = z.object({
  format: z.literal(format),
  v: z.literal(recordingVersion),
  at: time,
  devices: z.array(z.string().max(64)).max(1024).optional(),
});
export type RecordingHeader = z.infer<typeof RecordingHeader>;

/** A message as it came from NATS. `t` is the time since the start of the recording, in ms. */
export const RecordedMessage = z.object({
  type: z.literal("message"),
  t: time,
  subject: z.string().min(1).max(256),
  headers: z.record(z.string().max(256), z.string().max(4096)).optional(),
  data: bytes,
});
export type RecordedMessage = z.infer<typeof RecordedMessage>;

/** Messages that are missing from here on, and why. `messages` is left out if their number is not known. */
export const RecordedLoss = z.object({
  type: z.literal("lost"),
  t: time,
  reason: z.enum(["queue-full", "oversized", "nats-away"]),
  messages: count.optional(),
});
export type RecordedLoss = z.infer<typeof RecordedLoss>;

/** The profile that applied to a device when its recording began, as JSON text, with the defaults filled in. */
export const RecordedProfile = z.object({
  type: z.literal("profile"),
  t: time,
  device: z.string().min(1).max(64),
  profile: z.string().max(65_536),
});

/** The last record of a file that is complete. */
export const RecordingEnd = z.object({ type: z.literal("end"), t: time, messages: count });
export type RecordingEnd = z.infer<typeof RecordingEnd>;

const Entry = z.discriminatedUnion("type", [RecordedMessage, RecordedLoss, RecordedProfile, RecordingEnd]);
/** A record after the header. */
export type RecordingEntry = z.infer<typeof Entry>;

/** A file that is not a recording, or one that this version cannot read. */
export class RecordingError extends Error {
  override readonly name = "RecordingError";
}

// A file may come from anywhere, and decoders allocate the sizes that it announces.
const limits = { maxStrLength: 65_536, maxBinLength: maxRecordBytes, maxArrayLength: 1024, maxMapLength: 1024 };

/** Encodes the header of a new recording. */
export function encodeHeader(header: Pick<RecordingHeader, "at" | "devices">): Uint8Array {
  return frame({ format, v: recordingVersion, ...header });
}

/** Encodes a record. Returns undefined if it is larger than a record may be. */
export function encodeEntry(entry: RecordingEntry): Uint8Array | undefined {
  const framed = frame(entry);
  return framed.byteLength - 4 > maxRecordBytes ? undefined : framed;
}

/** Decodes the header, without its length. Throws RecordingError. */
export function decodeHeader(data: Uint8Array): RecordingHeader {
  const value = decodeMap(data, limits);
  if (value?.["format"] !== format) throw new RecordingError("This file is not a recording of voxbus.");
  const { v } = value;
  if (typeof v === "number" && v > recordingVersion)
    throw new RecordingError(
      `This recording has version ${v} of the format. This program reads up to ${recordingVersion}.`,
    );
  return check(RecordingHeader, value, "header");
}

/** Decodes a record, without its length. `where` names it in the RecordingError for a damaged one. */
export function decodeEntry(data: Uint8Array, where: string): RecordingEntry {
  return check(Entry, decodeMap(data, limits), where);
}

function check<S extends z.ZodType>(schema: S, value: unknown, where: string): z.infer<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new RecordingError(`The recording is damaged at ${where}: ${describeProblem(result.error)}.`);
}
