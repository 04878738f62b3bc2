import type { Readable } from "node:stream";
import { CommandError } from "./command.ts";

/** The longest message that NATS carries by default, in bytes. */
export const maxMessageBytes = 1_048_576;

/** Reads standard input to its end. Throws CommandError if it is longer than `limit` bytes. */
export async function readInput(stdin: Readable, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > limit) throw new CommandError(`the input is longer than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
