import { expect, test } from "vitest";
import type { TurnView } from "../../src/live/live.ts";
import { layOutTurns, scaleOf } from "./turn-bars.ts";

const turn = (id: string, lengthMs: number): TurnView => ({
  id,
  session: "s",
  origin: 1,
  heardAt: 1000,
  saidAt: 1100,
  soundAt: 1400,
  endedAt: 1000 + lengthMs,
  outcome: "played",
  sentences: 1,
  fenced: 0,
  dropped: 0,
  late: 0,
});

test("turn bars: an announcement that was shown without a sound stands at the time of its text", () => {
  const { heardAt: _heardAt, soundAt: _soundAt, ...shown } = turn("shown", 200);
  expect(layOutTurns([shown], 1e6)).toEqual([{ turn: shown, startedAt: 1100, bars: [] }]);
});

test.each([
  [[3900, 5200], 5200],
  [[3900, 5200, 65_000], 65_000],
  [[700, 900], 3000],
  [[600, 610], 3000],
])("turn bars: turns of %j ms all fit a line of %i ms, so that none is cut off", (lengths, scale) => {
  const rows = layOutTurns(
    lengths.map((ms, index) => turn(String(index), ms)),
    1e6,
  );
  expect(scaleOf(rows)).toBe(scale);
  const ends = rows.map(({ bars }) => (bars.at(-1)!.to - bars[0]!.from) / scale);
  expect(Math.max(...ends)).toBeLessThanOrEqual(1);
  expect(new Set(ends).size).toBe(lengths.length);
});
