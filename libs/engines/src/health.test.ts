import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { FailureReason } from "./failure.ts";
import { createEngineHealth } from "./health.ts";

const down = Object.assign(new Error("no"), { code: "ECONNREFUSED" });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** The health of an engine whose probes end as `probes` says, in order; then they hang. */
function createTested(probes: (Error | undefined)[] = []) {
  const lines: string[] = [];
  const failed: FailureReason[] = [];
  const write = (_: object, message: string) => void lines.push(message);
  let probed = 0;
  const health = createEngineHealth({
    name: "local",
    async probe(signal) {
      probed += 1;
      if (probes.length === 0) {
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        return;
      }
      const error = probes.shift();
      if (error !== undefined) throw error;
    },
    log: { info: write, warn: write },
    onFailure: (reason) => failed.push(reason),
  });
  return { health, lines, failed, probed: () => probed };
}

test("health: an engine is usable until its service fails, and again when a probe succeeds", async () => {
  const { health, lines, probed } = createTested([undefined]);
  health.begin().succeeded();
  expect(health.isUsable).toBe(true);
  health.begin().failed(down);
  expect([health.isUsable, probed()]).toEqual([false, 0]);
  await vi.advanceTimersByTimeAsync(5000);
  expect([health.isUsable, probed()]).toEqual([true, 1]);
  expect(lines).toEqual(["engine unusable", "engine usable again"]);
});

test("health: each failed probe doubles the cool-down, up to 2 minutes", async () => {
  const { health, probed } = createTested(Array.from({ length: 20 }, () => down));
  health.begin().failed(down);
  for (const [index, seconds] of [5, 10, 20, 40, 80, 120, 120].entries()) {
    await vi.advanceTimersByTimeAsync(seconds * 1000 - 1);
    expect(probed()).toBe(index);
    await vi.advanceTimersByTimeAsync(1);
    expect(probed()).toBe(index + 1);
  }
  health.close();
});

test("health: a thousand failures cause one probe, and a probe that hangs is given up", async () => {
  const { health, lines, failed, probed } = createTested();
  for (let count = 0; count < 1000; count += 1) health.begin().failed(down);
  await vi.advanceTimersByTimeAsync(34_000);
  for (let count = 0; count < 1000; count += 1) health.begin().failed(down);
  expect([probed(), failed.length, lines]).toEqual([1, 2000, ["engine unusable"]]);
  await vi.advanceTimersByTimeAsync(11_000);
  expect([probed(), health.isUsable]).toEqual([2, false]);
  health.close();
});

test("health: a request that succeeds ends the cool-down, and no probe follows", async () => {
  const { health, probed } = createTested();
  health.begin().failed(down);
  health.begin().succeeded();
  expect(health.isUsable).toBe(true);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(probed()).toBe(0);
});

test("health: a probe of an earlier cool-down does not count for a later one", async () => {
  const { health, probed } = createTested();
  health.begin().failed(down);
  await vi.advanceTimersByTimeAsync(34_000);
  health.begin().succeeded();
  health.begin().failed(down);
  // The first probe times out after 35 s, and the second one follows after 39 s.
  await vi.advanceTimersByTimeAsync(4999);
  expect([probed(), health.isUsable]).toEqual([1, false]);
  await vi.advanceTimersByTimeAsync(1);
  expect(probed()).toBe(2);
  health.close();
});

test("health: a failure of one request does not start a cool-down", () => {
  const { health, failed } = createTested();
  for (const fields of [{ status: 400 }, { status: 400, code: "content_filter" }, { name: "PoolFullError" }])
    health.begin().failed(Object.assign(new Error("no"), fields));
  expect([health.isUsable, failed]).toEqual([true, ["bad-request", "refused-content", "busy"]]);
});

test("health: a probe that is refused as a bad request has reached the service", async () => {
  const { health } = createTested([Object.assign(new Error("no"), { status: 400 })]);
  health.begin().failed(down);
  await vi.advanceTimersByTimeAsync(5000);
  expect(health.isUsable).toBe(true);
});

test("health: the end of a request counts once", () => {
  const { health, failed } = createTested();
  const request = health.begin();
  request.succeeded();
  request.failed(down);
  expect([health.isUsable, failed]).toEqual([true, []]);
});

test("health: nothing is probed after the end", async () => {
  const { health, probed } = createTested();
  health.begin().failed(down);
  health.close();
  health.begin().failed(down);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(probed()).toBe(0);
});

test.each([
  [0, 1000],
  [1500, 1500],
  [30_000, 30_000],
  [86_400_000, 600_000],
])("health: a service that asks for %d ms is probed after %d ms", async (retryAfterMs, ms) => {
  const busy = Object.assign(new Error("no"), { status: 429, retryAfterMs });
  const { health, probed } = createTested([busy, undefined]);
  health.begin().failed(busy);
  for (const probes of [0, 1]) {
    await vi.advanceTimersByTimeAsync(ms - 1);
    expect([probed(), health.isUsable]).toEqual([probes, false]);
    await vi.advanceTimersByTimeAsync(1);
    expect(probed()).toBe(probes + 1);
  }
  expect(health.isUsable).toBe(true);
});

test("health: a service that asks for a longer time during a cool-down gets it", async () => {
  const { health, probed } = createTested([undefined]);
  health.begin().failed(down);
  await vi.advanceTimersByTimeAsync(1000);
  health.begin().failed(Object.assign(new Error("no"), { status: 429, retryAfterMs: 120_000 }));
  health.begin().failed(Object.assign(new Error("no"), { status: 429, retryAfterMs: 2000 }));
  await vi.advanceTimersByTimeAsync(119_999);
  expect(probed()).toBe(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(probed()).toBe(1);
  health.close();
});
