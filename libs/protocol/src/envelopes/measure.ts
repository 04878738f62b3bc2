import { isUtf8 } from "node:buffer";
import { ProtocolError } from "../errors.ts";

/** The deepest nesting of containers in a bus message. */
export const maxEnvelopeDepth = 32;
/** Texts up to this length are looked at byte by byte. */
const shortBytes = 64;
/** The most values in the containers of a bus message, all together. */
export const maxEnvelopeValues = 32_768;

/**
 * Walks a MessagePack value without building it. Throws `bad-envelope` when it is empty, nests deeper than 32 levels, holds
 * more than 32,768 values, announces more data than it holds, or holds a text that is not UTF-8. Decoders allocate the
 * announced size, so a few bytes could take all memory, and some decode any bytes to a text. `isText` tells what passes as
 * text beside ASCII.
 */
export function checkMessagePack(data: Uint8Array, isText: (bytes: Uint8Array) => boolean = isUtf8): void {
  if (data.byteLength === 0) throw refuse("is empty");
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  /** The number of values still to come in each open container. */
  const missing = [1];
  let at = 0;
  let total = 0;
  const take = (bytes: number): number => {
    if (bytes > data.byteLength - at) throw refuse("announces more than it holds");
    const from = at;
    at += bytes;
    return from;
  };
  const takeText = (bytes: number): void => {
    const from = take(bytes);
    // Most texts are short ASCII, such as the names of fields. A look at each byte then costs less than a call.
    let ascii = from;
    while (ascii < at && ascii < from + shortBytes && data[ascii]! < 0x80) ascii += 1;
    if (ascii < at && !isText(data.subarray(ascii, at))) throw refuse("holds a text that is not UTF-8");
  };
  const readLength = (width: number): number => {
    const from = take(width);
    return width === 1 ? view.getUint8(from) : width === 2 ? view.getUint16(from) : view.getUint32(from);
  };
  const open = (values: number): void => {
    if (values > data.byteLength - at) throw refuse("announces more than it holds");
    if (missing.length > maxEnvelopeDepth) throw refuse(`nests deeper than ${maxEnvelopeDepth} levels`);
    total += values;
    if (total > maxEnvelopeValues) throw refuse(`holds more than ${maxEnvelopeValues} values`);
    missing.push(values);
  };
  while (missing.length > 0) {
    const last = missing.length - 1;
    if (missing[last] === 0) {
      missing.pop();
      continue;
    }
    missing[last]! -= 1;
    const head = view.getUint8(take(1));
    if (head < 0x80 || head >= 0xe0) continue;
    else if (head < 0x90) open((head & 15) * 2);
    else if (head < 0xa0) open(head & 15);
    else if (head < 0xc0) takeText(head & 31);
    else if (head === 0xdc || head === 0xdd) open(readLength(head === 0xdc ? 2 : 4));
    else if (head === 0xde || head === 0xdf) open(readLength(head === 0xde ? 2 : 4) * 2);
    else if (head >= 0xc4 && head <= 0xc6) take(readLength(1 << (head - 0xc4)));
    else if (head >= 0xc7 && head <= 0xc9) take(readLength(1 << (head - 0xc7)) + 1);
    else if (head >= 0xd9 && head <= 0xdb) takeText(readLength(1 << (head - 0xd9)));
    else take(fixed[head - 0xc0] ?? 0);
  }
}

// Bytes after the heads 0xc0 to 0xd8 whose length is fixed: nil and booleans, floats, integers, extensions.
const fixed = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17];

function refuse(what: string): ProtocolError {
  return new ProtocolError("bad-envelope", "envelope", `the message ${what}`);
}
