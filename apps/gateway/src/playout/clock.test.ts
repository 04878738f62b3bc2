import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createTimingWheel } from "./clock.ts";

it("wheel: a ticker that throws is its owner's affair, and the others are called", async () => {
  const wheel = createTimingWheel();
  const failures: unknown[] = [];
  const one = wheel.open({ fail: (error) => failures.push(error) });
  const two = wheel.open({ fail: () => expect.unreachable() });
  const cause = new Error("broken");
  const called: number[] = [];
  const at = wheel.now() + 10;
  one.wake(
    {
      tick() {
        throw cause;
      },
    },
    at,
  );
  two.wake({ tick: (now) => called.push(now) }, at);
  await expect.poll(() => called.length).toBe(1);
  expect(failures).toEqual([cause]);
  expect(wheel.waiting()).toBe(0);
  wheel.close();
});

it("wheel: a clock that closes takes its calls with it, and those of others stay", async () => {
  const wheel = createTimingWheel();
  const one = wheel.open({ fail: () => expect.unreachable() });
  const two = wheel.open({ fail: () => expect.unreachable() });
  let calls = 0;
  const never = { tick: () => expect.unreachable() };
  for (const delay of [5, 50, 5000]) one.wake(never, wheel.now() + delay);
  two.wake({ tick: () => (calls += 1) }, wheel.now() + 60);
  expect(wheel.waiting()).toBe(4);
  one.close();
  one.wake(never, wheel.now());
  expect(wheel.waiting()).toBe(1);
  await expect.poll(() => calls).toBe(1);
  await sleep(20);
  expect(wheel.waiting()).toBe(0);
  wheel.close();
});

describe("wheel, in virtual time", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
  afterEach(() => void vi.useRealTimers());

  it("an entry is called at its time or up to 2 ms later, and never earlier", () => {
    const wheel = createTimingWheel();
    const clock = wheel.open({ fail: () => expect.unreachable() });
    const late: number[] = [];
    const from = performance.now();
    const times = Array.from({ length: 400 }, (_, n) => from + ((n * 7919) % 20_000) / 1.7);
    for (const at of times) clock.wake({ tick: (now) => late.push(now - at) }, at);
    vi.advanceTimersByTime(20_000);
    expect(late).toHaveLength(times.length);
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...late)).toBeLessThanOrEqual(2);
    wheel.close();
  });

  it("an entry that comes before those that wait is not late", () => {
    const wheel = createTimingWheel();
    const clock = wheel.open({ fail: () => expect.unreachable() });
    const order: number[] = [];
    const from = performance.now();
    for (const at of [900, 300, 10, 2500, 11])
      clock.wake({ tick: (now) => order.push(Math.floor((now - from) / 10) * 10) }, from + at);
    vi.advanceTimersByTime(3000);
    expect(order).toEqual([10, 10, 300, 900, 2500]);
    wheel.close();
  });

  it("time without entries costs nothing: the timer does not run once per slot", () => {
    const wheel = createTimingWheel();
    const clock = wheel.open({ fail: () => expect.unreachable() });
    const calls: number[] = [];
    clock.wake({ tick: (now) => calls.push(now) }, performance.now() + 30_000);
    let wakeUps = 0;
    for (; calls.length === 0; wakeUps += 1) vi.advanceTimersToNextTimer();
    expect(wakeUps).toBeLessThan(20);
    wheel.close();
  });

  it("3,000 sessions that speak from one moment on: each frame leaves in its turn", () => {
    const wheel = createTimingWheel();
    const clock = wheel.open({ fail: () => expect.unreachable() });
    const late: number[] = [];
    for (let n = 0; n < 3000; n += 1) {
      let due = performance.now();
      const ticker = {
        tick(now: number) {
          late.push(now - due);
          due = now + 60;
          clock.wake(ticker, due);
        },
      };
      clock.wake(ticker, due);
    }
    vi.advanceTimersByTime(600);
    expect(late.length).toBeGreaterThan(9 * 3000);
    expect(Math.max(...late.slice(0, 3000))).toBeLessThan(60);
    expect(Math.max(...late.slice(3000))).toBeLessThanOrEqual(5);
    wheel.close();
  });
});
