import { encodeSpeech, loadSpeech, writeOggOpus } from "@voxbus/testing";
import { expect, test } from "vitest";
import { createOggOpusWriter, OpusPacketError } from "./index.ts";

/** Writes packets of 60 ms to a file. */
function writeAll(packets: readonly Uint8Array[], pageMs?: number): Uint8Array {
  const writer = createOggOpusWriter({ serial: 7, sampleRate: 24_000, ...(pageMs && { pageMs }) });
  return Buffer.concat([...packets.map((packet) => writer.write(packet)), writer.close()]);
}

/** Reads the pages of a file: each with its flags, its position in samples, and its number of packets. */
function listPages(file: Uint8Array) {
  const bytes = Buffer.from(file);
  const pages: { flags: number; position: number; packets: number }[] = [];
  for (let at = 0; at < bytes.length;) {
    expect(bytes.toString("latin1", at, at + 4)).toBe("OggS");
    const lacing = bytes.subarray(at + 27, at + 27 + bytes[at + 26]!);
    pages.push({
      flags: bytes[at + 5]!,
      position: Number(bytes.readBigInt64LE(at + 6)),
      packets: lacing.filter((length) => length < 255).length,
    });
    at += 27 + lacing.length + lacing.reduce((sum, length) => sum + length, 0);
  }
  return pages;
}

test("ogg opus writer: it writes the same bytes as the writer of the tests", () => {
  const packets = encodeSpeech(loadSpeech("joke"));
  const surplus = packets.length % 17;
  expect(surplus).toBeGreaterThan(0);
  const expected = writeOggOpus({ packets, packetMs: 60, packetsPerPage: 17, serial: 7 });
  expect(Buffer.compare(writeAll(packets), expected)).toBe(0);
});

test("ogg opus writer: a packet of 255 bytes and more ends on its page", () => {
  // Sizes at the edges of a segment. The first byte says: SILK, 60 ms, one frame.
  const packets = [1, 254, 255, 256, 510, 1275].map((length) => Uint8Array.from({ length }, () => 3 << 3));
  const expected = writeOggOpus({ packets, packetMs: 60, serial: 7 });
  expect(Buffer.compare(writeAll(packets), expected)).toBe(0);
});

test("ogg opus writer: a page holds at most 255 segments, whatever the time", () => {
  const packets = Array.from({ length: 100 }, () => Uint8Array.from({ length: 1275 }, () => 3 << 3));
  const pages = listPages(writeAll(packets, 60_000));
  expect(pages.slice(2).map(({ packets }) => packets)).toEqual([42, 42, 16]);
  expect(pages.at(-1)).toEqual({ flags: 4, position: 100 * 60 * 48, packets: 16 });
});

test("ogg opus writer: every piece ends with a whole page, so a cut file can be played", () => {
  const writer = createOggOpusWriter();
  const packets = encodeSpeech(loadSpeech("story"));
  let file: Uint8Array = new Uint8Array();
  for (const [index, packet] of packets.entries()) {
    file = Buffer.concat([file, writer.write(packet)]);
    const written = listPages(file).reduce((sum, { packets }) => sum + packets, 0) - 2;
    expect(index + 1 - written).toBeLessThan(17);
  }
  expect(writer.durationMs).toBe(packets.length * 60);
});

test("ogg opus writer: an invalid packet is refused, and the stream goes on without it", () => {
  const writer = createOggOpusWriter();
  const good = Uint8Array.of(3 << 3, 1);
  const start = writer.write(good);
  expect(() => writer.write(new Uint8Array())).toThrow(OpusPacketError);
  expect(() => writer.write(new Uint8Array(9000))).toThrow(OpusPacketError);
  const file = Buffer.concat([start, writer.write(good), writer.close()]);
  expect(listPages(file).at(-1)).toEqual({ flags: 4, position: 120 * 48, packets: 2 });
});

test("ogg opus writer: a stream without sound is a valid file", () => {
  expect(listPages(createOggOpusWriter().close())).toEqual([
    { flags: 2, position: 0, packets: 1 },
    { flags: 0, position: 0, packets: 1 },
    { flags: 4, position: 0, packets: 0 },
  ]);
});
