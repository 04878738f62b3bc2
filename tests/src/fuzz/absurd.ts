import * as fc from "fast-check";
import type { Random } from "./random.ts";

const known: readonly unknown[] = [
  undefined, null, true, "", "\u0000", "a".repeat(5000), 0, -1, 0.5, 2 ** 31, 2 ** 53, Number.MAX_VALUE, Infinity, NaN, [],
  {}, new Uint8Array(0), new Uint8Array(9000), "*", ">", "a b", "device.x", "../..", new Date(0),
]; // prettier-ignore

/** Makes values that no schema expects: a fixed list, and random ones from the seed. */
export function makeAbsurdValues(seed: number): readonly unknown[] {
  const anything = fc.anything({ maxDepth: 3, withDate: true, withTypedArray: true, withNullPrototype: true });
  return [...known, ...fc.sample(anything, { seed, numRuns: 400 }), nest(40), nest(150), nest(3000)];
}

function nest(depth: number): unknown {
  let value: unknown = "deep";
  for (let level = 0; level < depth; level += 1) value = level % 2 ? [value] : { in: value };
  return value;
}

/** Copies a value and makes one to three fields, at any depth, absurd, missing or superfluous. */
export function distort(random: Random, value: unknown, absurd: readonly unknown[]): unknown {
  const copy: unknown = structuredClone(value);
  for (let times = 1 + random.below(3); times > 0; times -= 1) distortOnce(random, copy, absurd);
  return copy;
}

function distortOnce(random: Random, value: unknown, absurd: readonly unknown[]): void {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return;
  const record = value as Record<string, unknown>;
  const keys = Object.keys(record);
  const key =
    keys.length === 0 || random.oneIn(8)
      ? random.pick(["constructor", "toString", "v", "tomorrow"])
      : random.pick(keys);
  if (typeof record[key] === "object" && !random.oneIn(3)) return distortOnce(random, record[key], absurd);
  if (random.oneIn(6)) delete record[key];
  else record[key] = random.pick(absurd);
}

const texts = ["", "\u0000", "a".repeat(60_000), "好".repeat(20_000), "👩‍🚀\u202e\ud800", "*", "../..", "=x", "g1"];
const numbers = [0, 1, 2, 127, 65_535, 2 ** 31 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, -1, 0.5, 1e300];
const binaries = [new Uint8Array(0), Uint8Array.of(0xff), new Uint8Array(9000), new Uint8Array(60_000).fill(0xfc)];

/** Copies a value and sets one or two fields to extremes of their own type: mostly well-formed, hardly sane. */
export function stretch(random: Random, value: unknown): unknown {
  const copy: unknown = structuredClone(value);
  for (let times = 1 + random.below(2); times > 0; times -= 1) stretchOnce(random, copy as Record<string, unknown>);
  return copy;
}

function stretchOnce(random: Random, record: Record<string, unknown>): void {
  const key = random.pick(
    Object.keys(record)
      .filter((key) => !["v", "type", "kind"].includes(key))
      .concat("tomorrow"),
  );
  const old = record[key];
  if (old instanceof Uint8Array) record[key] = random.pick(binaries);
  else if (typeof old === "string") record[key] = random.pick(texts);
  else if (typeof old === "number") record[key] = random.pick(numbers);
  else if (typeof old === "boolean") record[key] = !old;
  else if (typeof old === "object" && old !== null) stretchOnce(random, old as Record<string, unknown>);
}
