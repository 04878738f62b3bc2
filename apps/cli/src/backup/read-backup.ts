import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { StreamCopy } from "@voxbus/bus";
import { FrameError, readFrames } from "../frames.ts";
import {
  backedUp,
  BackupError,
  decodeEntry,
  decodeHeader,
  maxRecordBytes,
  type BackupEntry,
  type BackupHeader,
  type StoreName,
} from "./format.ts";

/** A stream or bucket of a backup, and where its pieces are in the file. */
export interface FoundStore {
  readonly name: StoreName;
  readonly copy: StreamCopy;
  /** The place of its first piece in the file, and the place behind its last one. */
  readonly from: number;
  readonly to: number;
}

/** A backup that was read through and is whole. */
export interface CheckedBackup {
  readonly header: BackupHeader;
  readonly stores: readonly FoundStore[];
}

/** Reads a backup through and checks it: the format, its checksum, and its end. Throws BackupError, or the error of the file. */
export async function checkBackup(path: string): Promise<CheckedBackup> {
  if (!(await stat(path)).isFile()) throw new BackupError("This is not a file.");
  const hash = createHash("sha256");
  const stores: FoundStore[] = [];
  let header: BackupHeader | undefined;
  let from = 0;
  let bytes = 0;
  let isEnded = false;
  for await (const { at, data } of readWhole(path)) {
    if (isEnded) throw new BackupError(`The backup is damaged at byte ${at}: there is something after its end.`);
    const to = at + 4 + data.byteLength;
    if (header === undefined) {
      header = decodeHeader(data);
      from = to;
    } else {
      const entry = decodeEntry(data, at);
      if (entry.type === "piece") bytes += entry.data.byteLength;
      else if (entry.type === "store") {
        stores.push(readStore(entry, { at, bytes, from }));
        from = to;
        bytes = 0;
      } else {
        checkEnd(entry, stores.length, hash.copy().digest());
        isEnded = true;
      }
    }
    hash.update(lengthOf(data)).update(data);
  }
  if (header === undefined) throw new BackupError("This file is not a backup of voxbus.");
  if (!isEnded) throw new BackupError("The backup is incomplete: its end is missing.");
  return { header, stores };
}

function lengthOf({ byteLength }: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(byteLength);
  return length;
}

function readStore(
  { name, bytes: told, copy }: Extract<BackupEntry, { readonly type: "store" }>,
  { at, bytes, from }: { readonly at: number; readonly bytes: number; readonly from: number },
): FoundStore {
  if (told !== bytes)
    throw new BackupError(`The backup is damaged at byte ${at}: ${name} has ${bytes} bytes, not ${told}.`);
  const known = backedUp.find((one) => one === name);
  if (known === undefined)
    throw new BackupError(
      `The backup has "${name}", which this version does not know. Use the version that made it, or a newer one.`,
    );
  return { name: known, copy, from, to: at };
}

function checkEnd(
  { stores, sha256 }: Extract<BackupEntry, { readonly type: "end" }>,
  found: number,
  digest: Uint8Array,
): void {
  if (stores !== found)
    throw new BackupError(`The backup is damaged: it has ${found} of ${stores} streams and buckets.`);
  if (Buffer.compare(sha256, digest) !== 0) throw new BackupError("The backup is damaged: its checksum is wrong.");
}

/** Reads the pieces of a stream or bucket of a checked backup. */
export async function* readPieces(path: string, { from, to }: FoundStore): AsyncGenerator<Uint8Array> {
  if (to === from) return;
  for await (const { at, data } of readWhole(path, { start: from, end: to - 1 })) {
    const entry = decodeEntry(data, from + at);
    if (entry.type === "piece") yield entry.data;
  }
}

/** Reads whole records. Throws BackupError for anything else. */
async function* readWhole(path: string, part?: { readonly start: number; readonly end: number }) {
  let read = 0;
  try {
    for await (const frame of readFrames(createReadStream(path, part), maxRecordBytes)) {
      if (!frame.isWhole) throw incomplete(read);
      read += 1;
      yield frame;
    }
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
    throw read === 0
      ? incomplete(read)
      : new BackupError(`The backup is damaged at byte ${error.at}: ${error.message}.`, { cause: error });
  }
}

function incomplete(read: number): BackupError {
  return new BackupError(
    read === 0
      ? "This file is not a backup of voxbus."
      : "The backup is incomplete: it ends in the middle of a record.",
  );
}
