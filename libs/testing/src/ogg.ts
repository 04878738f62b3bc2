/** An Ogg Opus stream to write. */
export interface OggStream {
  readonly packets: readonly Uint8Array[];
  /** The duration of each packet (ms), at most 255 packets a page. */
  readonly packetMs: number;
  readonly packetsPerPage?: number;
  /** The samples at 48 kHz that are not to be heard: at the start, and at the end. */
  readonly preSkip?: number;
  readonly surplus?: number;
  /** In steps of 1/256 dB. */
  readonly gain?: number;
  readonly channels?: number;
  readonly serial?: number;
  /** The length of its comments (bytes). */
  readonly commentBytes?: number;
}

/** Writes an Ogg Opus stream (RFC 3533, RFC 7845), as speech servers send it. */
export function writeOggOpus(stream: OggStream): Uint8Array {
  const { packets, packetMs, packetsPerPage = 50, preSkip = 312, surplus = 0, serial = 7 } = stream;
  const head = Buffer.alloc(19);
  head.write("OpusHead\x01");
  head[9] = stream.channels ?? 1;
  head.writeUInt16LE(preSkip, 10);
  head.writeUInt32LE(24_000, 12);
  head.writeInt16LE(stream.gain ?? 0, 16);
  const tags = Buffer.alloc(16 + (stream.commentBytes ?? 0));
  tags.write("OpusTags");
  let sequence = 0;
  const write = (flags: number, position: number, content: readonly Uint8Array[]) =>
    writePages({ flags, position, serial, packets: content, next: () => sequence++ });
  const bytes = [...write(2, 0, [head]), ...write(0, 0, [tags])];
  for (let at = 0; at < packets.length; at += packetsPerPage) {
    const end = Math.min(packets.length, at + packetsPerPage);
    const isLast = end === packets.length;
    bytes.push(...write(isLast ? 4 : 0, end * packetMs * 48 - (isLast ? surplus : 0), packets.slice(at, end)));
  }
  return new Uint8Array(Buffer.concat(bytes));
}

/** Writes packets on one page, or on several where they do not fit. */
function writePages(content: {
  readonly flags: number;
  readonly position: number;
  readonly serial: number;
  readonly packets: readonly Uint8Array[];
  readonly next: () => number;
}): Uint8Array[] {
  const { flags, position, serial, packets, next } = content;
  const lacing = packets.flatMap(({ length }) => [...Array<number>(Math.floor(length / 255)).fill(255), length % 255]);
  const body = Buffer.concat(packets);
  const pages: Uint8Array[] = [];
  let used = 0;
  for (let at = 0; at < lacing.length; at += 255) {
    const lengths = lacing.slice(at, at + 255);
    const isLast = at + 255 >= lacing.length;
    const size = lengths.reduce((sum, length) => sum + length, 0);
    const page = Buffer.alloc(27 + lengths.length + size);
    page.write("OggS");
    page[5] = (at > 0 && lacing[at - 1] === 255 ? 1 : 0) | (flags & 2) | (isLast ? flags & 4 : 0);
    page.writeBigInt64LE(isLast ? BigInt(position) : -1n, 6);
    page.writeUInt32LE(serial, 14);
    page.writeUInt32LE(next(), 18);
    page[26] = lengths.length;
    page.set(lengths, 27);
    page.set(body.subarray(used, used + size), 27 + lengths.length);
    page.writeUInt32LE(checkSum(page), 22);
    pages.push(page);
    used += size;
  }
  return pages;
}

function checkSum(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) {
    sum ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) sum = (sum << 1) ^ (sum < 0 ? 0x04c11db7 : 0);
  }
  return sum >>> 0;
}
