import { readFile } from "node:fs/promises";
import { fixedLimits } from "../limits.ts";
import type { MemoryBudget } from "../memory-budget.ts";
import { PlayoutBuffer } from "./buffer.ts";

/**
 * Reads a ready-made apology: Opus packets of 60 ms at 24 kHz. The file holds each behind its length, a 16-bit
 * big-endian number. Throws for a truncated file.
 */
export async function readApology(url: URL): Promise<readonly Uint8Array[]> {
  const data = await readFile(url);
  const packets: Uint8Array[] = [];
  for (let at = 0; at < data.byteLength;) {
    const size = data.readUInt16BE(at);
    packets.push(data.subarray(at + 2, at + 2 + size));
    at += 2 + size;
    if (at > data.byteLength) throw new Error(`${url.pathname} is truncated`);
  }
  return packets;
}

/** Makes an announcement of apology packets, ranked after everything caused up to `seq`. `now` in ms. */
export function createApology(
  packets: readonly Uint8Array[],
  { id, seq }: { readonly id: string; readonly seq: number },
  now: number,
  memory: MemoryBudget,
): PlayoutBuffer {
  // It counts as having waited long enough, so that it plays even while the user speaks.
  const since = now - fixedLimits.announcementWaitMs;
  const apology = new PlayoutBuffer({ id, origin: undefined, rank: seq + 0.5 }, since, memory);
  apology.fill(packets);
  return apology;
}
