import { readFile } from "node:fs/promises";

/** Reads a ready-made apology: Opus packets of 60 ms at 24 kHz, each behind its length as a 16-bit big-endian number. Throws for a truncated file. */
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
