import { decode, encode, type DecoderOptions } from "@msgpack/msgpack";
import type { z } from "zod";

/** A record of a file: its place, its bytes, and false if the file ends in the middle of it. */
export interface Frame {
  /** The place of its length in the file, in bytes. */
  readonly at: number;
  readonly data: Uint8Array;
  readonly isWhole: boolean;
}

/** Thrown for a length that no record has. `at` is its place in the file, in bytes. */
export class FrameError extends Error {
  override readonly name = "FrameError";
  readonly at: number;
  constructor(at: number, limit: number) {
    super(`a record has 1 to ${limit} bytes`);
    this.at = at;
  }
}

/** Writes a value as a record: its length as 4 bytes, big-endian, and MessagePack. */
export function frame(value: object): Uint8Array {
  const body = encode(value, { ignoreUndefined: true });
  const framed = new Uint8Array(4 + body.byteLength);
  new DataView(framed.buffer).setUint32(0, body.byteLength);
  framed.set(body, 4);
  return framed;
}

/** Splits chunks of bytes into records of at most `limit` bytes, without holding more than one. Throws FrameError. */
export async function* readFrames(chunks: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<Frame> {
  let rest = Buffer.alloc(0);
  let at = 0;
  for await (const chunk of chunks) {
    rest = rest.byteLength === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    for (;;) {
      const length = rest.byteLength < 4 ? undefined : rest.readUInt32BE(0);
      if (length !== undefined && (length === 0 || length > limit)) throw new FrameError(at, limit);
      if (length === undefined || rest.byteLength < 4 + length) break;
      yield { at, data: rest.subarray(4, 4 + length), isWhole: true };
      at += 4 + length;
      rest = rest.subarray(4 + length);
    }
  }
  if (rest.byteLength > 0) yield { at, data: rest, isWhole: false };
}

/** Decodes a record of a file. Returns undefined if it is not a map, for the caller to refuse. */
export function decodeMap(data: Uint8Array, limits: DecoderOptions): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = decode(data, limits);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Names the first field of a record that is wrong, and why. */
export function describeProblem({ issues }: z.ZodError): string {
  const { path = [], message = "invalid" } = issues[0] ?? {};
  return `${path.join(".") || "record"}: ${message}`;
}
