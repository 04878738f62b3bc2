import { createReadStream } from "node:fs";
import { FrameError, readFrames } from "../frames.ts";
import {
  decodeEntry,
  decodeHeader,
  maxRecordBytes,
  RecordingError,
  type RecordingEntry,
  type RecordingHeader,
} from "./format.ts";

/** A record of a file, or its header, or the news that the file ends in the middle of a record. */
export type Read =
  | { readonly type: "header"; readonly header: RecordingHeader }
  | RecordingEntry
  | { readonly type: "cut"; readonly bytes: number };

/** Reads a recording from a file, record by record, without holding it in memory. Throws RecordingError, or the error of the file. */
export function readRecordingFile(path: string): AsyncGenerator<Read> {
  return readRecording(createReadStream(path));
}

/**
 * Reads a recording from chunks of bytes. The header comes first. A file whose last record is incomplete, as after a kill, ends with
 * `cut` and the number of bytes left over. Throws RecordingError for anything else that is not a recording.
 */
export async function* readRecording(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Read> {
  let isFirst = true;
  try {
    for await (const { at, data, isWhole } of readFrames(chunks, maxRecordBytes)) {
      if (!isWhole && isFirst) break;
      if (!isWhole) yield { type: "cut", bytes: data.byteLength };
      else if (isFirst) yield { type: "header", header: decodeHeader(data) };
      else yield decodeEntry(data, `byte ${at}`);
      isFirst = false;
    }
  } catch (cause) {
    if (!(cause instanceof FrameError)) throw cause;
    if (!isFirst)
      throw new RecordingError(`The recording is damaged at byte ${cause.at}: ${cause.message}.`, { cause });
  }
  if (isFirst) throw new RecordingError("This file is not a recording of voxbus.");
}
