import * as fc from "fast-check";
import { expect, test } from "vitest";
import { makePool, makeStats } from "../test-monitor.ts";
import { sumPools, waitingIn } from "./pools.ts";

const times = (ms: number) => ({ mean: ms, p50: ms, p95: ms, p99: ms });
const tts = (instance: string, pools: ReturnType<typeof makePool>[]) => {
  const { id: _, ...stats } = makeStats("", { program: "tts", instance, pools });
  return stats;
};

test("pools: are summed by program and name, and keep the numbers of each process", () => {
  const pools = sumPools([
    tts("a", [makePool("opus-out", 1, { running: 9, waiting: 5, done: 30, failed: 10, waitMs: times(40) })]),
    tts("b", [
      makePool("opus-out", 0.5, { running: 1, waiting: 1, done: 10, shed: 30, waitMs: times(80) }),
      makePool("synthesis", 0.1),
    ]),
  ]);
  expect(pools.map(({ program, name }) => `${program} ${name}`)).toEqual(["tts opus-out", "tts synthesis"]);
  expect(pools[0]).toMatchObject({
    slots: 20,
    busy: 0.75,
    all: { running: 10, waiting: 6, done: 40, failed: 10, shed: 30, successRate: 0.5 },
    processes: [
      { id: "tts-a", busy: 1, all: { running: 9, successRate: 0.75 } },
      { id: "tts-b", busy: 0.5, all: { running: 1, successRate: 0.25 } },
    ],
  });
  expect(pools[0]!.all.waitMs).toEqual({ mean: 60, p50: 80, p95: 80, p99: 80 });
  expect(pools[1]!.all).not.toHaveProperty("successRate");
});

test("pools: each priority has its own numbers, and all of them together", () => {
  const { work } = makePool("model", 0.2, { waiting: 2, waitMs: times(10) });
  const [low] = makePool("model", 0.2, { priority: "low", waiting: 7, waitMs: times(900) }).work;
  const [pool] = sumPools([makeStats("", { pools: [{ name: "model", slots: 4, busy: 0.2, work: [low!, ...work] }] })]);
  expect(pool!.work.map(({ priority, waiting }) => [priority, waiting])).toEqual([
    ["high", 2],
    ["low", 7],
  ]);
  expect(pool!.all).toMatchObject({ waiting: 9, waitMs: { p95: 900 } });
});

test("pools: whatever the processes report, shares lie between 0 and 1, and a mean between the reported ones", () => {
  const count = fc.nat({ max: 1000 });
  const work = fc.record({
    done: count,
    failed: count,
    shed: count,
    wait: fc.double({ min: 0.01, max: 1e5, noNaN: true }),
  });
  const process = fc.record({ busy: fc.double({ min: 0, max: 1, noNaN: true }), work });
  fc.assert(
    fc.property(fc.array(process, { minLength: 1, maxLength: 5 }), (processes) => {
      const [pool] = sumPools(
        processes.map(({ busy, work: { wait, ...counts } }, at) =>
          tts(`${at}`, [makePool("p", busy, { ...counts, waitMs: times(wait) })]),
        ),
      );
      const waits = processes.map(({ work }) => work.wait);
      expect(pool!.busy).toBeLessThanOrEqual(Math.max(...processes.map(({ busy }) => busy)) + 1e-9);
      expect(pool!.all.successRate ?? 0).toBeGreaterThanOrEqual(0);
      expect(pool!.all.successRate ?? 0).toBeLessThanOrEqual(1);
      expect(pool!.all.waitMs.mean).toBeGreaterThanOrEqual(Math.min(...waits) - 1e-6);
      expect(pool!.all.waitMs.mean).toBeLessThanOrEqual(Math.max(...waits) + 1e-6);
      expect(pool!.all.waitMs.p95).toBe(Math.max(...waits));
    }),
  );
});

test("waiting: is the queue of a process or else the work in its pools, and unknown if it has neither", () => {
  const pools = [makePool("a", 0, { waiting: 3 }), makePool("b", 0, { waiting: 4 })];
  expect(waitingIn(makeStats("g1", { pools }))).toBe(7);
  expect(waitingIn(makeStats("g1", { gauges: { queue: 2 } }))).toBe(2);
  expect(waitingIn(makeStats("g1", { gauges: { queue: 2 }, pools }))).toBe(2);
  expect(waitingIn(makeStats("g1"))).toBeUndefined();
});
