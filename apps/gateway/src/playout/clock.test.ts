import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { createTimingWheel } from "./clock.ts";

it("wheel: a ticker that throws is its owner's affair, and the others are called", async () => {
  const wheel = createTimingWheel();
  const failures: unknown[] = [];
  const one = wheel.open((error) => failures.push(error));
  const two = wheel.open(() => expect.unreachable());
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
  const one = wheel.open(() => expect.unreachable());
  const two = wheel.open(() => expect.unreachable());
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
