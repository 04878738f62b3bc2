import { expect, test } from "vitest";
import { readPage, readTable } from "./markdown.ts";

/** The frames of a turn, each way. */
const frames = 83;

const page = readPage("docs/capacity.md");
const rows = readTable(page, "table: costs").map(([program = "", ...cells]) => ({
  program,
  // The first number of a cell; what stands in brackets is its sum.
  numbers: cells.map((cell) => Number(/\d[\d.]*/.exec(cell)?.[0] ?? 0)),
  parts: cells.map((cell) => [...(/\((.*)\)/.exec(cell)?.[1] ?? "").matchAll(/\d+/g)].map(([part]) => Number(part))),
}));
const add = (numbers: readonly number[]) => numbers.reduce((sum, one) => sum + one, 0);

test("docs/capacity.md: the cost of a turn is that of its frames and the fixed part, for each program and together", () => {
  const programs = rows.filter(({ program }) => program !== "together");
  const together = rows.find(({ program }) => program === "together")!;
  expect(programs.map(({ program }) => program)).toEqual([
    "gateway",
    "nats-server",
    "asr",
    "dialogue",
    "tools",
    "tts",
    "monitor",
  ]);
  for (const { program, numbers, parts } of rows) {
    const [up = 0, down = 0, fixed = 0, turn = 0] = numbers;
    expect(turn, program).toBeCloseTo((frames * (up + down)) / 1000 + fixed, 1);
    for (const [at, split] of parts.entries()) if (split.length > 0) expect(add(split), program).toBe(numbers[at]);
  }
  for (const [at, sum] of together.numbers.entries())
    expect(add(programs.map(({ numbers }) => numbers[at]!))).toBeCloseTo(sum, 5);
});

test("docs/capacity.md: each sum of its arithmetic is right as far as it is rounded", () => {
  const read = (text: string) => Number(text.replaceAll(",", ""));
  const sums = [...page.matchAll(/(?<=^|[ (;:|])(\d[\d,.]*(?: [×+−/] \d[\d,.]*)+) = (\d[\d,.]*\d|\d)/gm)];
  expect(sums.length).toBeGreaterThan(25);
  for (const [all, formula = "", given = ""] of sums) {
    const value = add(
      formula
        .replaceAll(" − ", " + -")
        .split(" + ")
        .map((product) =>
          product.split(/ (?=[×/] )/).reduce((result, factor) => {
            const number = read(factor.replace(/^[×/] /, ""));
            return factor.startsWith("/") ? result / number : result * number;
          }, 1),
        ),
    );
    const digits = given.split(".")[1]?.length ?? 0;
    // Processes are rounded up, and large numbers to 1 %.
    const allowed = digits > 0 ? 0.6 * 10 ** -digits : Math.max(1, value / 100);
    expect(Math.abs(value - read(given)), `${all}: ${value}`).toBeLessThan(allowed);
  }
});
