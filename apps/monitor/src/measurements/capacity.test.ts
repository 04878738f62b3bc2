import type { Stats } from "@voxbus/protocol";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { makePool, makeStats } from "../test-monitor.ts";
import { createCapacityMeter, turnsNeeded } from "./capacity.ts";
import { createCounters } from "./counters.ts";
import { processTarget } from "./snapshot.ts";

const stepMs = 30_000;

/** The work of a measurement. */
interface Step {
  readonly turns: number;
  /** Cores in use by the gateway, by tts, and by everything on their host. */
  readonly gateway?: number;
  readonly tts?: number;
  readonly host?: number;
  readonly busy?: number;
  readonly uptime?: number;
}

/** Measures a gateway and a tts on one host of 4 cores. */
function createMeasuring(
  talking: number,
  fixed: { readonly gateway?: Partial<Stats>; readonly tts?: Partial<Stats> } = {},
) {
  const meter = createCapacityMeter();
  const counters = createCounters();
  let at = 1e12;
  let uptime = 10 * 60_000;
  const sums = { turns: 0, gateway: 0, tts: 0, host: 0 };
  return (step: Step) => {
    at += stepMs;
    uptime = step.uptime ?? uptime + stepMs;
    sums.turns += step.turns;
    for (const name of ["gateway", "tts", "host"] as const) sums[name] += (step[name] ?? 0) * stepMs;
    const totals = (own: number) => ({ cpuMs: own, hostCpuMs: sums.host });
    const common = { at, uptime, gauges: { hostCores: 4 } };
    const { id: _, ...tts } = makeStats("", {
      ...common,
      program: "tts",
      instance: "t",
      cores: 4,
      totals: totals(sums.tts),
      pools: [makePool("opus-out", step.busy ?? 0)],
      ...fixed.tts,
    });
    const gateway = makeStats("g1", {
      ...common,
      totals: { ...totals(sums.gateway), turns: sums.turns },
      ...fixed.gateway,
    });
    counters.add("g1", gateway);
    counters.add(processTarget(tts), tts);
    return meter.measure(
      { programs: [[gateway], [tts]], lags: [], latencies: {}, settled: true, online: talking },
      counters,
      talking,
    );
  };
}

test("capacity: is unknown before 20 turns", () => {
  const measure = createMeasuring(10);
  expect(measure({ turns: 0 })).toEqual({ turns: 0, turnsNeeded: 20, talking: 10, limits: [] });
  expect(measure({ turns: turnsNeeded - 1, gateway: 0.1 }).more).toBeUndefined();
  expect(measure({ turns: 1, gateway: 0.1 })).toMatchObject({ turns: 20, more: expect.any(Number) });
});

test("capacity: of a host is the free part of 70 % of its cores, divided by what a talking device uses", () => {
  const measure = createMeasuring(100);
  measure({ turns: 0 });
  const capacity = measure({ turns: 600, gateway: 0.1, tts: 0.2, host: 0.79 });
  // 4 cores * 70 % - 0.79 = 2.01 cores; a device uses 0.0079.
  expect(capacity.more).toBe(254);
  expect(capacity.limits[0]).toEqual({
    kind: "host",
    name: "hall",
    used: expect.closeTo(0.79),
    idle: 0,
    most: expect.closeTo(2.8),
    more: 254,
  });
  // 0.3 cores for 20 turns a second.
  expect(capacity.turnMs).toBeCloseTo(15, 5);
  expect(capacity.limits.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
    "host hall",
    "program gateway",
    "program tts",
  ]);
});

test("capacity: what is used without turns is no cost of turns, unless the process has just started", () => {
  const measure = createMeasuring(100);
  measure({ turns: 0, uptime: 5000 });
  measure({ turns: 0, host: 3, uptime: 35_000 });
  measure({ turns: 0, host: 0.4, uptime: 120_000 });
  measure({ turns: 0, host: 0.5 });
  for (let n = 0; n < 10; n += 1) measure({ turns: 600, gateway: 0.1, host: 1.01 });
  const { limits } = measure({ turns: 600, gateway: 0.1, host: 1.01 });
  const host = limits.find(({ kind }) => kind === "host")!;
  expect(host.idle).toBeCloseTo(0.4, 5);
  // 1.79 cores are free; a device uses 0.0061.
  expect(host.more).toBe(293);
});

test("capacity: a pool may be in use to 85 %", () => {
  const measure = createMeasuring(100);
  measure({ turns: 0, busy: 0.5 });
  const { more, limits } = measure({ turns: 600, gateway: 0.01, tts: 0.1, host: 0.1, busy: 0.5 });
  expect(limits[0]).toMatchObject({ kind: "pool", name: "tts opus-out", used: 5, most: 8.5 });
  expect(more).toBe(70);
});

test("capacity: the limits of connections and of claims count", () => {
  const gauges = { hostCores: 4, connections: 150, maxConnections: 160 };
  const connected = createMeasuring(100, { gateway: { gauges } });
  connected({ turns: 0 });
  expect(connected({ turns: 600, host: 0.1 }).limits[0]).toMatchObject({
    kind: "connections",
    name: "gateway",
    more: 10,
  });
  const claims = { program: "dialogue", gauges: { hostCores: 4, claims: 50, maxTurns: 60 } };
  const answering = createMeasuring(100, { tts: claims });
  answering({ turns: 0 });
  expect(answering({ turns: 600, host: 0.1 }).limits[0]).toMatchObject({ kind: "claims", name: "dialogue", more: 20 });
});

test("capacity: is 0 when more is in use than may be", () => {
  const measure = createMeasuring(100);
  measure({ turns: 0 });
  expect(measure({ turns: 600, host: 3.5 }).more).toBe(0);
});

test("capacity: the devices that it names fit, and one more does not", () => {
  const cores = fc.double({ min: 0.01, max: 3.9, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), cores, (talking, host) => {
      const measure = createMeasuring(talking);
      measure({ turns: 0 });
      const { more, limits } = measure({ turns: 600, host });
      const { used, most } = limits[0]!;
      const withMore = (count: number) => (used / talking) * (talking + count);
      if (more! > 0) expect(withMore(more!)).toBeLessThanOrEqual(most + 1e-9);
      expect(withMore(more! + 1)).toBeGreaterThan(most - 1e-9);
    }),
  );
});
