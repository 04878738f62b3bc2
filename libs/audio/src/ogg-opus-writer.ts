import { readOpusPacket } from "./opus-packet.ts";

const pageHeadBytes = 27;
const maxSegments = 255;
/** Samples per ms of the clock of Ogg Opus, which runs at 48 kHz whatever the sound has (RFC 7845 §4). */
const samplesPerMs = 48;
/** Samples that players skip at the start, because an encoder needs them to settle: the look-ahead of libopus. */
const preSkip = 312;
const flags = { first: 2, last: 4 } as const;

/** Writes one Ogg Opus stream (RFC 3533, RFC 7845) piece by piece. A file that is cut after a piece can be played. */
export interface OggOpusWriter {
  /** The sound so far, in ms. */
  readonly durationMs: number;
  /**
   * Takes one Opus packet. Returns the bytes to append to the file: the headers with the first packet, a page for each
   * `pageMs` of sound, and otherwise nothing. Throws `OpusPacketError` for an invalid packet, which is left out.
   */
  write(packet: Uint8Array): Uint8Array;
  /** Returns the rest of the stream. Its last page is marked as such, and is empty if every packet is on an earlier one. */
  close(): Uint8Array;
}

/**
 * Creates the writer of a stream. `serial` tells the streams of one file apart. `sampleRate` (Hz) is that of the sound
 * before it was encoded; players ignore it. `pageMs` is the sound on one page, at most 2 s.
 */
export function createOggOpusWriter(
  options: { readonly serial?: number; readonly sampleRate?: number; readonly pageMs?: number } = {},
): OggOpusWriter {
  const { serial = 1, sampleRate = 16_000, pageMs = 1000 } = options;
  let packets: Uint8Array[] = [];
  let segments = 0;
  let durationMs = 0;
  let heldMs = 0;
  let sequence = 0;

  function writePage(flag: number, position: number, content: readonly Uint8Array[]): Uint8Array {
    const page = layOutPage(content);
    const view = new DataView(page.buffer);
    page[5] = flag;
    view.setBigInt64(6, BigInt(Math.round(position)), true);
    view.setUint32(14, serial, true);
    view.setUint32(18, sequence, true);
    view.setUint32(22, checkSum(page), true);
    sequence += 1;
    return page;
  }
  const writeHead = () => [
    writePage(flags.first, 0, [describeSound(sampleRate)]),
    writePage(0, 0, [new Uint8Array(Buffer.from("OpusTags\0\0\0\0\0\0\0\0", "latin1"))]),
  ];
  function flush(flag = 0): Uint8Array {
    const page = writePage(flag, durationMs * samplesPerMs, packets);
    packets = [];
    segments = 0;
    heldMs = 0;
    return page;
  }
  return {
    get durationMs() {
      return durationMs;
    },
    write(packet) {
      const sound = readOpusPacket(packet);
      const pieces = sequence === 0 ? writeHead() : [];
      const needed = countSegments(packet);
      if (segments + needed > maxSegments) pieces.push(flush());
      packets.push(packet);
      segments += needed;
      durationMs += sound.durationMs;
      heldMs += sound.durationMs;
      if (heldMs >= pageMs) pieces.push(flush());
      return Buffer.concat(pieces);
    },
    close: () => Buffer.concat([...(sequence === 0 ? writeHead() : []), flush(flags.last)]),
  };
}

/** Makes the header packet of a stream with one channel (RFC 7845 §5.1). */
function describeSound(sampleRate: number): Uint8Array {
  const head = Buffer.alloc(19);
  head.write("OpusHead\x01\x01", "latin1");
  head.writeUInt16LE(preSkip, 10);
  head.writeUInt32LE(sampleRate, 12);
  return head;
}

/** A packet has a segment for each 255 bytes, and a shorter one at its end. */
function countSegments({ length }: Uint8Array): number {
  return Math.floor(length / 255) + 1;
}

/** Lays out a page with whole packets. Its numbers and its checksum are still zero. */
function layOutPage(packets: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const lacing = packets.flatMap((packet) => [
    ...Array<number>(countSegments(packet) - 1).fill(255),
    packet.length % 255,
  ]);
  const bytes = packets.reduce((sum, { length }) => sum + length, 0);
  const page = new Uint8Array(pageHeadBytes + lacing.length + bytes);
  page.set(Buffer.from("OggS", "latin1"));
  page[26] = lacing.length;
  page.set(lacing, pageHeadBytes);
  let at = pageHeadBytes + lacing.length;
  for (const packet of packets) {
    page.set(packet, at);
    at += packet.length;
  }
  return page;
}

const checkSums = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte << 24;
  for (let bit = 0; bit < 8; bit++) sum = (sum << 1) ^ (sum < 0 ? 0x04c11db7 : 0);
  return sum;
});

/** Calculates the checksum of a page (RFC 3533 §6). */
function checkSum(page: Uint8Array): number {
  let sum = 0;
  for (const byte of page) sum = ((sum << 8) ^ checkSums[(sum >>> 24) ^ byte]!) >>> 0;
  return sum;
}
