/** The error of a stream that is not Ogg, or not Opus in Ogg. */
export class OggError extends Error {
  override readonly name = "OggError";
}

/** A page of an Ogg stream (RFC 3533 §6). */
export interface OggPage {
  /** The logical stream that it belongs to. */
  readonly serial: number;
  readonly isFirst: boolean;
  readonly isLast: boolean;
  /** True if its first part goes on with the last packet of the page before. */
  readonly isContinued: boolean;
  /** The position at the end of the last packet that ends here. Undefined if none does. */
  readonly position: number | undefined;
  /** The parts of packets, as views. All but the last one end their packets. */
  readonly parts: readonly Uint8Array[];
  /** True if the last part ends its packet, too. */
  readonly isWhole: boolean;
}

/** Takes Ogg pages from bytes that are cut anywhere. */
export interface OggPageReader {
  /** Returns the pages that these bytes complete. Throws OggError for anything that is not a page with its checksum. */
  write(bytes: Uint8Array): OggPage[];
  /** Throws OggError if the bytes ended within a page. */
  end(): void;
}

const headBytes = 27;
const longestLength = 255;

/** Creates a reader of pages. It holds at most one incomplete page (65,307 bytes). */
export function createOggPageReader(): OggPageReader {
  let pending: Uint8Array = new Uint8Array(0);
  return {
    write(bytes) {
      pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
      const pages: OggPage[] = [];
      for (;;) {
        const length = measurePage(pending);
        if (length === undefined || pending.length < length) break;
        pages.push(readPage(pending.subarray(0, length)));
        pending = pending.subarray(length);
      }
      // The reader must not keep the caller's buffer.
      pending = pending.slice();
      return pages;
    },
    end() {
      if (pending.length > 0) throw new OggError("the Ogg stream ended within a page");
    },
  };
}

/** Returns the length of a page, undefined if its head is not complete. */
function measurePage(bytes: Uint8Array): number | undefined {
  const name = [79, 103, 103, 83, 0];
  const wrong = name.findIndex((byte, at) => at < bytes.length && bytes[at] !== byte);
  if (wrong === 4) throw new OggError(`expected version 0 of Ogg, got ${bytes[4]}`);
  if (wrong !== -1) throw new OggError("expected an Ogg page, got other bytes");
  const parts = bytes[26];
  if (parts === undefined || bytes.length < headBytes + parts) return undefined;
  return bytes.subarray(headBytes, headBytes + parts).reduce((sum, length) => sum + length, headBytes + parts);
}

function readPage(page: Uint8Array): OggPage {
  const view = new DataView(page.buffer, page.byteOffset, page.length);
  if (checkSum(page) !== view.getUint32(22, true)) throw new OggError("an Ogg page does not have its checksum");
  const lengths = page.subarray(headBytes, headBytes + page[26]!);
  const parts: Uint8Array[] = [];
  let start = headBytes + lengths.length;
  let end = start;
  for (const [n, length] of lengths.entries()) {
    end += length;
    if (length === longestLength && n < lengths.length - 1) continue;
    parts.push(page.subarray(start, end));
    start = end;
  }
  const flags = page[5]!;
  const position = view.getBigInt64(6, true);
  return {
    serial: view.getUint32(14, true),
    isContinued: (flags & 1) !== 0,
    isFirst: (flags & 2) !== 0,
    isLast: (flags & 4) !== 0,
    position: position < 0n ? undefined : Number(position),
    parts,
    isWhole: lengths.at(-1) !== longestLength,
  };
}

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte << 24;
  for (let bit = 0; bit < 8; bit++) rest = (rest << 1) ^ (rest < 0 ? 0x04c11db7 : 0);
  return rest;
});

/** Computes the checksum of a page, in which its own field counts as 0. */
function checkSum(page: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < page.length; at++) {
    const byte = at >= 22 && at < 26 ? 0 : page[at]!;
    sum = (sum << 8) ^ table[((sum >>> 24) ^ byte) & 255]!;
  }
  return sum >>> 0;
}
