/** Limits the wrong tokens that an address may try. Right ones cost nothing. */
export interface Guesses {
  /** Tells whether a token that comes from `group` under a name may be compared now. Without a group every one may. */
  allows(group: string | undefined, name: string): boolean;
  /** Counts a wrong token. */
  wrong(group: string | undefined, name: string): void;
  /** Remembers a name with a right token. From then on others of its group no longer use up its guesses. */
  right(group: string | undefined, name: string): void;
}

/**
 * Creates the limit: `burst` wrong tokens in a row, and one more every `refillMs`. It remembers at most `most` groups and
 * `most` names, and forgets the oldest first. `now` in ms.
 */
export function createGuesses({
  burst = 30,
  refillMs = 1000,
  most = 10_000,
  now = () => performance.now(),
}: {
  readonly burst?: number;
  readonly refillMs?: number;
  readonly most?: number;
  readonly now?: () => number;
} = {}): Guesses {
  /** The guesses that are left, and when they were counted. */
  const left = new Map<string, { readonly guesses: number; readonly at: number }>();
  const known = new Map<string, true>();
  const keep = <V>(map: Map<string, V>, key: string, value: V) => {
    map.delete(key);
    map.set(key, value);
    const [oldest] = map.size > most ? map.keys() : [];
    if (oldest !== undefined) map.delete(oldest);
  };
  const pairOf = (group: string, name: string) => `${group} ${name}`;
  const keyOf = (group: string, name: string) => (known.has(pairOf(group, name)) ? pairOf(group, name) : group);
  const count = (key: string) => {
    const { guesses, at } = left.get(key) ?? { guesses: burst, at: now() };
    return Math.min(burst, guesses + (now() - at) / refillMs);
  };
  return {
    allows: (group, name) => group === undefined || count(keyOf(group, name)) >= 1,
    wrong(group, name) {
      if (group === undefined) return;
      const key = keyOf(group, name);
      keep(left, key, { guesses: Math.max(0, count(key) - 1), at: now() });
    },
    right(group, name) {
      if (group !== undefined) keep(known, pairOf(group, name), true);
    },
  };
}
