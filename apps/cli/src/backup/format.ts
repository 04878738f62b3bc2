import type { StreamCopy } from "@voxbus/bus";
import { bucketNames, streamNames, type BucketName, type StreamName } from "@voxbus/protocol";
import { z } from "zod";
import { decodeMap, describeProblem } from "../frames.ts";

/** The version of the file format. A reader refuses a newer one. docs/backups.md specifies the format. */
export const backupVersion = 1;
/** The largest record in bytes. NATS copies in pieces of 128 KiB. */
export const maxRecordBytes = 2 * 1_048_576;

const format = "voxbus-backup";

/** A stream or bucket, by its name in docs/bus.md. */
export type StoreName = StreamName | BucketName;

/** Buckets that describe the processes that run now. A restored entry of them would be wrong. */
const ofProcesses: readonly StoreName[] = ["gateways", "presence", "monitor", "probes"];
/** The streams and buckets of a backup, in this order. Streams come first: buckets hold what followed from their messages. */
export const backedUp: readonly StoreName[] = [...streamNames, ...bucketNames].filter(
  (name) => !ofProcesses.includes(name),
);

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, "must be bytes");

/** The first record. `at` is the beginning of the backup, ms since 1970; `nats` the version of the server. */
export const BackupHeader = z.object({
  format: z.literal(format),
  v: z.literal(backupVersion),
  at: count,
  prefix: z.string().max(32),
  nats: z.string().max(64),
});
export type BackupHeader = z.infer<typeof BackupHeader>;

const Copy = z.custom<StreamCopy>((value) => {
  const { config, state } = (value ?? {}) as {
    readonly config?: { readonly name?: unknown };
    readonly state?: unknown;
  };
  return typeof config?.name === "string" && typeof state === "object" && state !== null;
}, "must be a map with the config and the state of a stream");

const Entry = z.discriminatedUnion("type", [
  /** A piece of the copy of a stream or bucket, as NATS sent it. */
  z.object({ type: z.literal("piece"), data: bytes }),
  /** The end of the pieces of one stream or bucket, with what NATS said about it. */
  z.object({ type: z.literal("store"), name: z.string().max(64), bytes: count, copy: Copy }),
  /** The end of the file. `sha256` is that of all bytes before this record. */
  z.object({ type: z.literal("end"), stores: count, sha256: bytes }),
]);
/** A record after the header. */
export type BackupEntry = z.infer<typeof Entry>;

/** A file that is not a backup, or one that this version cannot read. */
export class BackupError extends Error {
  override readonly name = "BackupError";
}

// A file may come from anywhere, and decoders allocate the sizes that it announces.
const limits = { maxStrLength: 65_536, maxBinLength: maxRecordBytes, maxArrayLength: 4096, maxMapLength: 4096 };

/** Makes the header of a new backup. */
export function createHeader(given: Pick<BackupHeader, "at" | "prefix" | "nats">): BackupHeader {
  return { format, v: backupVersion, ...given };
}

/** Decodes the header. Throws BackupError. */
export function decodeHeader(data: Uint8Array): BackupHeader {
  const value = decodeMap(data, limits);
  if (value?.["format"] !== format) throw new BackupError("This file is not a backup of voxbus.");
  const { v } = value;
  if (typeof v === "number" && v > backupVersion)
    throw new BackupError(`This backup has version ${v} of the format. This program reads up to ${backupVersion}.`);
  return check(BackupHeader, value, 0);
}

/** Decodes a record. `at`, its place in the file, is named in the BackupError for a damaged one. */
export function decodeEntry(data: Uint8Array, at: number): BackupEntry {
  return check(Entry, decodeMap(data, limits), at);
}

function check<S extends z.ZodType>(schema: S, value: unknown, at: number): z.infer<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new BackupError(`The backup is damaged at byte ${at}: ${describeProblem(result.error)}.`);
}
