import type { Stats } from "@voxbus/protocol";
import { expect, test } from "vitest";
import { createReadings, trendPoints, type Look } from "../measurements/measurements.ts";
import type { RuleName } from "../alerts/rules.ts";
import { createHistory } from "../measurements/series.ts";
import { makeStats } from "../test-monitor.ts";

/** Looks again and again; gives what a rule reads at each look. */
function createLooks() {
  const readings = createReadings();
  const history = createHistory({ forgetMs: 1e9 });
  let at = 0;
  return (rule: RuleName, of: Partial<Stats>, more: Partial<Look> = {}) => {
    at += 30_000;
    const stats = makeStats("g1", { at, uptime: 3_600_000, ...of });
    const look: Look = { programs: [[stats]], lags: [], latencies: {}, settled: true, online: 0, ...more };
    history.record(Date.now(), readings.sample(look));
    return readings.read(look, history).find((reading) => reading.rule === rule)?.value;
  };
}
const last = <T>(values: readonly T[]) => values.at(-1);
const times = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, index) => make(index));

test("trend: is not known before there are 10 points of a process that has settled, and then the rise over them", () => {
  const look = createLooks();
  const rises = times(12, (index) => look("memory-trend", { rss: 1e8 + index * 1e7 }));
  expect(rises.slice(0, trendPoints - 1)).toEqual(times(trendPoints - 1, () => undefined));
  expect(rises.at(-1)).toBeCloseTo(9e7, 0);
  const young = createLooks();
  expect(last(times(12, (index) => young("memory-trend", { rss: 1e8 + index * 1e7, uptime: 1000 })))).toBeUndefined();
});

test("rates: few events are unknown until they were counted for long enough to be none", () => {
  const look = createLooks();
  const values = times(12, (index) =>
    look("drop-rate", { totals: { framesReceived: index * 1000 }, drops: { overloaded: index } }),
  );
  expect(values.slice(0, trendPoints)).toEqual(times(trendPoints, () => undefined));
  expect(values.at(-1)).toBe(0);
});

test("rates: many events are a share of everything, and those that belong to cut-off speech are none", () => {
  const look = createLooks();
  const share = times(3, (index) =>
    look("drop-rate", { totals: { framesReceived: index * 900 }, drops: { slow: index * 100, fenced: index * 1e6 } }),
  );
  expect(share).toEqual([undefined, 0.1, 0.1]);
  const zombies = createLooks();
  const values = times(2, (index) =>
    zombies("zombie-rate", { gauges: { connections: 80 }, totals: { zombies: index * 20 } }),
  );
  expect(values).toEqual([undefined, 0.2]);
  const claims = createLooks();
  expect(
    times(2, (index) => claims("redelivery-rate", { totals: { claims: index * 100, redeliveries: index * 10 } })),
  ).toEqual([undefined, 0.1]);
});

test("rates: another process under the same id counts from the beginning", () => {
  const look = createLooks();
  expect(look("drop-rate", { totals: { framesReceived: 5000 }, drops: { slow: 5000 } })).toBeUndefined();
  expect(look("drop-rate", { instance: "i2", totals: { framesReceived: 10 }, drops: {} })).toBeUndefined();
});

test("first sound: is judged by 20 turns or more; fewer are good only once the monitor has seen enough", () => {
  const look = createLooks();
  const latencies = (count: number) => ({ sound: { p50: 300, p95: 2000, p99: 4000, count } });
  expect(look("first-sound-p95", {}, { latencies: latencies(20) })).toBe(2000);
  expect(look("first-sound-p99", {}, { latencies: latencies(20) })).toBe(4000);
  expect(look("first-sound-p95", {}, { latencies: latencies(19) })).toBe(0);
  expect(look("first-sound-p95", {}, { latencies: latencies(19), settled: false })).toBeUndefined();
});

test("queue: what waits for a consumer, whatever its workers call it", () => {
  const look = createLooks();
  const lag = { stream: "TURNS" as const, durable: "größe", pending: 7, held: 0, redelivered: 0 };
  expect(look("queue", {}, { lags: [lag] })).toBe(7);
  const own = createLooks();
  expect(own("queue", { gauges: { queue: 3 } })).toBe(3);
});
