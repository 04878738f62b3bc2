/** The most results that wait for their counterpart, and those of them with the same place. */
const maxWaiting = 2000;
const maxAtPlace = 16;
/** A result whose counterpart does not come within this time has none, ms. */
const patienceMs = 60_000;
/** The characters of a result that are compared. */
const maxText = 2000;

/** A result of a program: a transcript, or a whole reply. `place` finds its counterpart. */
export interface Result {
  readonly place: string;
  /** The speech of a transcript, as seqs. Another recognizer may find other ends. */
  readonly span?: readonly [number, number];
  readonly text: string;
  /** When it came, or the first sentence of it (`performance.now()`, ms). */
  readonly at: number;
}

/** Results that wait for their counterpart. */
export interface Waiting {
  /** Adds a result. Gives the number of those that wait no longer, because there are too many. */
  add(result: Result): number;
  /** Takes the oldest counterpart of a result out. */
  take(result: Result): Result | undefined;
  /** Takes out those that waited too long. Gives their number. */
  sweep(now: number): number;
  size(): number;
}

/** Creates a list of up to 2000 results. The work for a result does not grow with the list. */
export function createWaiting(): Waiting {
  const places = new Map<string, Result[]>();
  let size = 0;
  const keep = (place: string, results: Result[]) => {
    if (results.length === 0) places.delete(place);
    else places.set(place, results);
  };
  const dropFirst = (place: string): number => {
    const [, ...rest] = places.get(place) ?? [];
    keep(place, rest);
    size -= 1;
    return 1;
  };
  return {
    add(result) {
      const { place } = result;
      const others = places.get(place) ?? [];
      places.set(place, [...others, result]);
      size += 1;
      if (others.length >= maxAtPlace) return dropFirst(place);
      return size > maxWaiting ? dropFirst(places.keys().next().value!) : 0;
    },
    take(result) {
      const results = places.get(result.place) ?? [];
      const found = results.find((one) => isMatch(one, result));
      if (found === undefined) return undefined;
      size -= 1;
      keep(
        result.place,
        results.filter((one) => one !== found),
      );
      return found;
    },
    sweep(now) {
      const before = size;
      for (const [place, results] of places) {
        const rest = results.filter((one) => !isOld(one, now));
        size -= results.length - rest.length;
        keep(place, rest);
      }
      return before - size;
    },
    size: () => size,
  };
}

/** Tells whether two results of a place are of the same speech or reply. */
export function isMatch(one: Result, other: Result): boolean {
  if (one.place !== other.place) return false;
  if (!one.span || !other.span) return true;
  return one.span[0] <= other.span[1] && other.span[0] <= one.span[1];
}

/** Tells whether a result is too old to have a counterpart. */
export function isOld({ at }: Pick<Result, "at">, now: number): boolean {
  return now - at > patienceMs;
}

/** Gives the part of a text that is compared. */
export function cutText(text: string): string {
  // A slice alone would hold the whole text in memory.
  return text.length <= maxText ? text : Buffer.from(text.slice(0, maxText)).toString();
}
