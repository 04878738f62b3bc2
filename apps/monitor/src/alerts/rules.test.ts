import type { Stats } from "@voxbus/protocol";
import { expect, test } from "vitest";
import { createCounters, ratePoints } from "../measurements/counters.ts";
import { takeSamples } from "../measurements/samples.ts";
import { createHistory } from "../measurements/series.ts";
import type { Snapshot } from "../measurements/snapshot.ts";
import { listTargets, type Target } from "../measurements/targets.ts";
import { makePool, makeStats } from "../test-monitor.ts";
import { limitsOf, listThresholds, rules, ruleVariables } from "./rules.ts";

/** Takes snapshots one after the other, and gives the value that a rule measures in each. */
function createMeasuring() {
  const counters = createCounters();
  const history = createHistory({ forgetMs: 1e9 });
  let at = 0;
  return (name: string, of: Partial<Stats>, more: Partial<Snapshot> = {}) => {
    at += 30_000;
    const stats = makeStats("g1", { at, uptime: 3_600_000, ...of });
    const snapshot: Snapshot = { programs: [[stats]], lags: [], latencies: {}, settled: true, online: 0, ...more };
    history.record(Date.now(), takeSamples(snapshot, counters));
    const { measure } = rules.find((rule) => rule.name === name)!;
    const values = listTargets(snapshot, counters, history).map((target) =>
      (measure[target.kind] as ((target: Target) => number | undefined) | undefined)?.(target),
    );
    return values.find((value) => value !== undefined);
  };
}
const last = <T>(values: readonly T[]) => values.at(-1);
const times = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, index) => make(index));

test("trend: is the rise that goes on for 60 points of a process that has settled, and unknown before", () => {
  const measure = createMeasuring();
  const rises = times(62, (index) => measure("memory-trend", { rss: 1e8 + index * 2e6 }));
  expect(rises.slice(0, 59)).toEqual(times(59, () => undefined));
  expect(rises.at(-1)).toBeCloseTo(9e7, 0);
  const young = createMeasuring();
  expect(last(times(62, (index) => young("memory-trend", { rss: 1e8 + index * 2e6, uptime: 1000 })))).toBeUndefined();
});

test("trend: devices that connect are no trend, and connections that keep growing are", () => {
  const arrival = createMeasuring();
  expect(
    last(times(60, (index) => arrival("connections-trend", { gauges: { connections: index < 40 ? 0 : 15 } }))),
  ).toBeLessThan(5);
  const leak = createMeasuring();
  expect(last(times(60, (index) => leak("connections-trend", { gauges: { connections: index } })))).toBe(45);
});

test("model-tools: is the gauge of dialogue, and unknown for other programs", () => {
  const measure = createMeasuring();
  expect(measure("model-tools", { gauges: {} })).toBeUndefined();
  expect(measure("model-tools", { gauges: { toolsRefused: 1 } })).toBe(1);
  expect(measure("model-tools", { gauges: { toolsRefused: 0 } })).toBe(0);
});

test("rates: a few events are unknown at first, and 0 once they were counted for 10 points", () => {
  const measure = createMeasuring();
  const values = times(12, (index) =>
    measure("drop-rate", { totals: { framesReceived: index * 1000 }, drops: { overloaded: index } }),
  );
  expect(values.slice(0, ratePoints)).toEqual(times(ratePoints, () => undefined));
  expect(values.at(-1)).toBe(0);
});

test("rates: many events are a share of all, and drops of interrupted speech do not count", () => {
  const measure = createMeasuring();
  const share = times(3, (index) =>
    measure("drop-rate", {
      totals: { framesReceived: index * 900 },
      drops: { slow: index * 100, fenced: index * 1e6 },
    }),
  );
  expect(share).toEqual([undefined, 0.1, 0.1]);
  const zombies = createMeasuring();
  const values = times(2, (index) =>
    zombies("zombie-rate", { gauges: { connections: 80 }, totals: { zombies: index * 20 } }),
  );
  expect(values).toEqual([undefined, 0.2]);
  const claims = createMeasuring();
  expect(
    times(2, (index) => claims("redelivery-rate", { totals: { claims: index * 100, redeliveries: index * 10 } })),
  ).toEqual([undefined, 0.1]);
});

test("rates: another process under the same id starts from 0", () => {
  const measure = createMeasuring();
  expect(measure("drop-rate", { totals: { framesReceived: 5000 }, drops: { slow: 5000 } })).toBeUndefined();
  expect(measure("drop-rate", { instance: "i2", totals: { framesReceived: 10 }, drops: {} })).toBeUndefined();
});

test("first sound: needs 20 turns; fewer are 0 once the monitor has settled, and unknown before", () => {
  const measure = createMeasuring();
  const latencies = (count: number) => ({ sound: { p50: 300, p95: 2000, p99: 4000, count } });
  expect(measure("first-sound-p95", {}, { latencies: latencies(20) })).toBe(2000);
  expect(measure("first-sound-p99", {}, { latencies: latencies(20) })).toBe(4000);
  expect(measure("first-sound-p95", {}, { latencies: latencies(19) })).toBe(0);
  expect(measure("first-sound-p95", {}, { latencies: latencies(19), settled: false })).toBeUndefined();
});

test("queue: is the messages that wait for a consumer, or in a program", () => {
  const measure = createMeasuring();
  const lag = { stream: "TURNS" as const, durable: "größe", pending: 7, held: 0, redelivered: 0 };
  expect(measure("queue", {}, { lags: [lag] })).toBe(7);
  const own = createMeasuring();
  expect(own("queue", { gauges: { queue: 3 } })).toBe(3);
  expect(own("queue", { pools: [makePool("model", 0.5, { waiting: 4 })] })).toBe(4);
});

test("pool-wait: is p95 of the time that work for people waits, not that of announcements", () => {
  const measure = createMeasuring();
  const waitMs = { mean: 1, p50: 1, p95: 700, p99: 900 };
  expect(measure("pool-wait", { pools: [makePool("model", 1, { waitMs })] })).toBe(700);
  expect(measure("pool-wait", { pools: [makePool("model", 1, { waitMs, priority: "normal" })] })).toBe(0);
  expect(measure("pool-wait", {})).toBeUndefined();
});

test("pool-shed: is the share of the work of the last 10 points that was shed, and 0 for a few", () => {
  const measure = createMeasuring();
  const shed = (count: number, submitted: number) =>
    measure("pool-shed", { pools: [makePool("model", 1, { shed: count, submitted })] });
  expect([shed(0, 0), shed(9, 100), shed(20, 200), shed(20, 200)]).toEqual([undefined, 0, 0.1, 0.1]);
});

test("reactions: are the gauges of processes, and unknown for processes without them", () => {
  const measure = createMeasuring();
  for (const [name, gauge] of [
    ["claims-paused", "claimsPaused"],
    ["refusing", "refusing"],
    ["engine-unusable", "enginesUnusable"],
  ] as const) {
    expect(measure(name, { gauges: {} })).toBeUndefined();
    expect(measure(name, { gauges: { [gauge]: 1 } })).toBe(1);
  }
});

test("thresholds: are the lowest values that raise each alert, by the operator's settings", () => {
  const settings = Object.fromEntries(rules.map(({ setting }) => [setting?.variable, setting?.default]));
  const thresholds = listThresholds({
    ...(settings as Parameters<typeof listThresholds>[0]),
    VOXBUS_MONITOR_MAX_MEMORY_MB: 900,
  });
  expect(thresholds).toMatchObject({ memory: 9e8, cpu: 80, "loop-delay": 100, queue: 500, "pool-shed": 0.05 });
  expect(Object.keys(thresholds).toSorted()).toEqual(rules.map(({ name }) => name).toSorted());
});

test("rules: an alert that is over says so in a sentence without a number", () => {
  for (const { name, over } of rules) {
    expect(over("The program"), name).toMatch(/^[A-Z][^\d]*\.$/);
    expect(over("The program"), name).not.toMatch(/undefined|NaN|-/);
  }
});

test("rules: each has its own name, and its default makes valid limits", () => {
  expect(new Set(rules.map(({ name }) => name)).size).toBe(rules.length);
  for (const rule of rules) {
    const { levels, clear } = limitsOf(rule, { [rule.setting?.variable ?? ""]: rule.setting?.default ?? 0 });
    const from = levels.map(([from]) => from);
    expect(from).toEqual(from.toSorted((a, b) => b - a));
    expect(clear).toBeLessThanOrEqual(from.at(-1)!);
  }
});

test("rules: each setting is a variable with its default", () => {
  for (const { setting } of rules) {
    if (!setting) continue;
    const schema = ruleVariables[setting.variable as keyof typeof ruleVariables];
    expect(schema.parse(undefined)).toBe(setting.default);
    expect(schema.parse("7")).toBe(7);
    expect(() => schema.parse("0")).toThrow();
  }
});
