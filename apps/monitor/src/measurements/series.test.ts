import { expect, test } from "vitest";
import { createHistory } from "./series.ts";

test("history: keeps 1,000 points of a series and averages the last 60", () => {
  const history = createHistory({ forgetMs: 10_000 });
  for (let at = 1; at <= 1100; at += 1) history.record(at, [{ metric: "memory", target: "g1", value: at }]);
  const series = history.find("memory", "g1")!;
  expect(series.newest(2000)).toHaveLength(1000);
  expect(series.newest(2)).toEqual([
    [1099, 1099],
    [1100, 1100],
  ]);
  expect(series.average()).toBe(1070.5);
  expect(series.newest(0)).toEqual([]);
});

test("history: forgets series that ended, and the oldest beyond its limit", () => {
  const history = createHistory({ forgetMs: 100, maxSeries: 2 });
  const sample = (target: string) => [{ metric: "memory", target, value: 1 }];
  history.record(0, sample("old"));
  history.record(50, sample("new"));
  const targets = () => [...history.all()].map(({ target }) => target);
  expect(targets()).toEqual(["old", "new"]);
  history.record(101, sample("new"));
  expect(targets()).toEqual(["new"]);
  history.record(102, [...sample("a"), ...sample("b")]);
  expect(targets()).toEqual(["a", "b"]);
});
