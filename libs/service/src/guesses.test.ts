import { expect, it } from "vitest";
import { createGuesses } from "./guesses.ts";

const create = (options: { readonly most?: number } = {}) => {
  let at = 0;
  const guesses = createGuesses({ burst: 3, refillMs: 1000, now: () => at, ...options });
  const guess = (group: string, name = "a") => {
    const allowed = guesses.allows(group, name);
    if (allowed) guesses.wrong(group, name);
    return allowed;
  };
  return { guesses, guess, wait: (ms: number) => (at += ms) };
};

it("guesses: an address has a few, then one a second, whatever names it uses", () => {
  const { guess, wait } = create();
  expect(["a", "b", "c", "d", "e"].map((name) => guess("10.0.0.1", name))).toEqual([true, true, true, false, false]);
  expect(guess("10.0.0.2")).toBe(true);
  wait(1000);
  expect([guess("10.0.0.1"), guess("10.0.0.1")]).toEqual([true, false]);
});

it("guesses: an address that stops may soon come again", () => {
  const { guess, guesses, wait } = create();
  for (let n = 0; n < 100; n += 1) guess("10.0.0.1");
  wait(1000);
  expect(guesses.allows("10.0.0.1", "kitchen")).toBe(true);
});

it("guesses: right tokens cost nothing", () => {
  const { guesses } = create();
  for (let n = 0; n < 100; n += 1) {
    expect(guesses.allows("10.0.0.1", "kitchen")).toBe(true);
    guesses.right("10.0.0.1", "kitchen");
  }
});

it("guesses: a device that was let in is not locked out by another one at its address", () => {
  const { guess, guesses } = create();
  guesses.right("10.0.0.1", "kitchen");
  for (let n = 0; n < 100; n += 1) guess("10.0.0.1", "attacker");
  expect(guesses.allows("10.0.0.1", "kitchen")).toBe(true);
  expect([1, 2, 3, 4].map(() => guess("10.0.0.1", "kitchen"))).toEqual([true, true, true, false]);
});

it("guesses: a trusted proxy that names no client is not limited", () => {
  const { guesses } = create();
  for (let n = 0; n < 100; n += 1) guesses.wrong(undefined, "a");
  expect(guesses.allows(undefined, "a")).toBe(true);
});

it("guesses: addresses are remembered up to a bound, the newest ones", () => {
  const { guess, guesses } = create({ most: 2 });
  for (const group of ["1", "2", "3"]) for (let n = 0; n < 3; n += 1) guess(group);
  expect(["1", "2", "3"].map((group) => guesses.allows(group, "a"))).toEqual([true, false, false]);
});
