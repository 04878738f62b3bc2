import { createOpusEncoder } from "@voxbus/audio";
import { type OggStream, writeOggOpus } from "@voxbus/testing";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createOggOpusReader, type OggOpusPiece } from "./opus.ts";

const encoder = createOpusEncoder({ sampleRate: 24_000, bitrate: 128_000 });
const packets = Array.from({ length: 12 }, (_, n) =>
  encoder.encode(Int16Array.from({ length: 480 }, (_, i) => 9000 * Math.sin((n * 480 + i) / 9))),
);
encoder.close();

const stream = (options?: Partial<OggStream>) => writeOggOpus({ packets, packetMs: 20, ...options });

function read(bytes: Uint8Array, sizes: readonly number[] = []): OggOpusPiece[] {
  const reader = createOggOpusReader();
  const pieces: OggOpusPiece[] = [];
  let at = 0;
  for (const size of [...sizes, bytes.length]) {
    // A copy that is spoiled afterwards, as a buffer that is used again.
    const chunk = bytes.slice(at, at + size);
    pieces.push(...reader.write(chunk));
    chunk.fill(0);
    at = Math.min(bytes.length, at + size);
  }
  reader.end();
  return pieces;
}

const packetsOf = (pieces: readonly OggOpusPiece[]) =>
  pieces.flatMap((piece) => ("packet" in piece ? [piece.packet] : []));
const keepsOf = (pieces: readonly OggOpusPiece[]) => pieces.flatMap((piece) => ("packet" in piece ? [piece.keep] : []));

test("Ogg Opus: packets survive any cut of the stream, and any number of them on a page", () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 20 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 12 }), (sizes, packetsPerPage) => {
      expect(packetsOf(read(stream({ packetsPerPage }), sizes))).toEqual(packets);
    }),
    { numRuns: 60 },
  );
});

test("Ogg Opus: the head names what is not to be heard, and the gain", () => {
  const [piece] = read(stream({ preSkip: 3840, gain: -1541 }));
  expect(piece).toMatchObject({ head: { preSkip: 3840, gain: expect.closeTo(0.5, 3) as unknown } });
});

test("Ogg Opus: a packet may need several pages, and comments of any length are passed over", () => {
  const long = new Uint8Array(6998).fill(9);
  long[0] = 0xfb;
  long[1] = 6;
  const bytes = writeOggOpus({ packets: [long, packets[0]!, long], packetMs: 20, commentBytes: 300_000 });
  const many = Array.from({ length: 20 }, () => long);
  expect(packetsOf(read(bytes))).toEqual([long, packets[0], long]);
  expect(packetsOf(read(writeOggOpus({ packets: many, packetMs: 120 })))).toEqual(many);
});

test("Ogg Opus: only what its last page says is left out at the end", () => {
  expect(keepsOf(read(stream({ surplus: 1200 })))).toEqual([...Array<number>(10).fill(960), 720, 0]);
  expect(keepsOf(read(stream({ surplus: 0 })))).toEqual(Array(12).fill(960));
});

test("Ogg Opus: streams may follow each other, and others between them are skipped", () => {
  const vorbis = stream({ serial: 9 });
  const name = Buffer.from(vorbis).indexOf("OpusHead");
  const skeleton = vorbis.slice(0, name + 19);
  const pieces = read(new Uint8Array(Buffer.concat([stream({ serial: 1 }), stream({ serial: 2 })])));
  expect(pieces.filter((piece) => "head" in piece)).toHaveLength(2);
  expect(packetsOf(pieces)).toEqual([...packets, ...packets]);
  skeleton.set(Buffer.from("fishead\0"), name);
  fixCheckSum(skeleton);
  expect(packetsOf(read(new Uint8Array(Buffer.concat([skeleton, stream()]))))).toEqual(packets);
});

/** Writes the checksum of a page that was changed. */
function fixCheckSum(page: Uint8Array): void {
  page.fill(0, 22, 26);
  let sum = 0;
  for (const byte of page) {
    sum ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) sum = (sum << 1) ^ (sum < 0 ? 0x04c11db7 : 0);
  }
  new DataView(page.buffer, page.byteOffset).setUint32(22, sum >>> 0, true);
}

/** A stream that was changed after it was written. */
function spoil(change: (bytes: Uint8Array) => Uint8Array | void, options?: Partial<OggStream>): Uint8Array {
  const bytes = stream(options);
  return change(bytes) ?? bytes;
}

test.each<[string, Uint8Array, string]>([
  ["other bytes", new TextEncoder().encode("<html>no</html>"), "expected an Ogg page"],
  ["a page whose bytes changed", spoil((bytes) => void (bytes[200]! ^= 1)), "checksum"],
  ["a page of another version", spoil((bytes) => void (bytes[4] = 1)), "version 0 of Ogg"],
  ["a cut page", spoil((bytes) => bytes.slice(0, -5)), "ended within a page"],
  ["a head alone", spoil((bytes) => bytes.slice(0, 47)), "ended within a packet"],
  ["a missing page", spoil((bytes) => bytes.slice(47)), "expected an Opus stream"],
  ["three channels", stream({ channels: 3 }), "1 or 2 channels"],
  ["a packet that is no Opus", stream({ packets: [Uint8Array.of(3)] }), "malformed Opus packet"],
  ["a packet that is far too long", stream({ packets: [new Uint8Array(9000)] }), "more than 8192 bytes"],
])("Ogg Opus: %s is an error that says so", (_, bytes, message) => {
  expect(() => read(bytes)).toThrow(message);
});

test("Ogg Opus: any bytes give packets or a named error", () => {
  const bytes = stream({ packetsPerPage: 3 });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255))), fc.nat(bytes.length), (changes, length) => {
      const changed = bytes.slice(0, length);
      for (const [at, value] of changes) if (at < length) changed[at] = value;
      try {
        read(changed);
      } catch (error) {
        expect((error as Error).name).toMatch(/^(OggError|OpusPacketError)$/);
      }
    }),
    { numRuns: 200 },
  );
});
