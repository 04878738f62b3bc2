import type { Random } from "./random.ts";

/** The longest input, bytes: more than any of our limits allows. */
export const longestInput = 70_000;

const lengths = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
// Pieces that break parsers of text, JSON, MessagePack and HTTP.
const tokens = [
  '"__proto__":', '{"__proto__":{"polluted":true}}', '"constructor":{"prototype":{"polluted":true}}', "\u0000", "\u2028",
  "\ud800", "👩‍🚀", "ﷺ".repeat(40), "\u202e", "1e999", "-0", "9007199254740993", "NaN", "null", "[]", "{}", '""', "\r\n",
  "\r\n\r\n", "%00", "%ff", "../", "Content-Length: 99999999999999999999\r\n", "Transfer-Encoding: chunked\r\n",
].map((text) => Buffer.from(text)); // prettier-ignore
const nesting = ["[", '{"a":', '{"payload":', "\u0091", "\u0081\u00a1a"].map((text) => Buffer.from(text, "latin1"));

type Mutation = (random: Random, bytes: Buffer) => Buffer;

const splice = (bytes: Buffer, at: number, removed: number, inserted: Uint8Array) =>
  Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + removed)]);

const mutations: readonly Mutation[] = [
  function flipBit(random, bytes) {
    const changed = Buffer.from(bytes);
    if (changed.length > 0) changed[random.below(changed.length)]! ^= 1 << random.below(8);
    return changed;
  },
  function setByte(random, bytes) {
    const changed = Buffer.from(bytes);
    if (changed.length > 0)
      changed[random.below(changed.length)] = random.pick([0, 1, 0x7f, 0x80, 0xc1, 0xdd, 0xdf, 0xff]);
    return changed;
  },
  (random, bytes) => bytes.subarray(0, random.below(bytes.length + 1)),
  (random, bytes) => bytes.subarray(random.below(bytes.length + 1)),
  (random, bytes) => splice(bytes, random.below(bytes.length + 1), 0, random.bytes(1 + random.below(16))),
  (random, bytes) => splice(bytes, random.below(bytes.length + 1), random.below(8), random.pick(tokens)),
  function duplicate(random, bytes) {
    const from = random.below(bytes.length + 1);
    const part = bytes.subarray(from, from + 1 + random.below(64));
    return splice(bytes, from, 0, Buffer.concat(Array.from({ length: 1 + random.below(4) }, () => part)));
  },
  function lie(random, bytes) {
    const width = random.pick([2, 4]);
    const changed = Buffer.from(bytes);
    if (changed.length >= width) {
      changed.writeUIntBE(random.pick(lengths) % 2 ** (8 * width), random.below(changed.length - width + 1), width);
    }
    return changed;
  },
  function nest(random, bytes) {
    const opening = random.pick(nesting);
    const depth = random.pick([3, 40, 110, 1000, 5000]);
    return splice(
      bytes,
      random.below(bytes.length + 1),
      0,
      Buffer.concat(Array.from({ length: depth }, () => opening)),
    );
  },
  (random, bytes) =>
    splice(bytes, random.below(bytes.length + 1), 0, Buffer.alloc(random.pick([300, 9000, 66_000]), 0x61)),
];
// The last two make long inputs, which are slow.
const cheap = mutations.slice(0, -2);

/** Breaks a valid input in one to four places; one in 64 stays valid. */
export function mutateBytes(random: Random, valid: Uint8Array): Buffer {
  let bytes: Buffer = Buffer.from(valid);
  if (random.oneIn(64)) return bytes;
  for (let times = 1 + random.below(4); times > 0; times -= 1) {
    bytes = random.pick(random.oneIn(24) ? mutations : cheap)(random, bytes);
  }
  return bytes.subarray(0, longestInput);
}
