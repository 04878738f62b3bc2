import { setImmediate as eventLoop } from "node:timers/promises";
import { expect, test } from "vitest";
import { readClock } from "./clock.ts";
import { createSteps, stepLimits } from "./steps.ts";

function spin(ms: number): void {
  for (const until = readClock() + ms; readClock() < until;);
}

test("steps: of the jobs that wait, the one that is due first is next", async () => {
  const steps = createSteps<string>(() => undefined);
  const now = readClock();
  const order: string[] = [];
  const run = async (job: string, dues: readonly number[]) => {
    for (const due of dues) {
      await steps.wait(job, now + due);
      order.push(`${job} ${due}`);
    }
  };
  await Promise.all([run("a", [10, 40, 70]), run("b", [20, 30]), run("c", [5, 35, 36])]);
  expect(order).toEqual(["c 5", "a 10", "b 20", "b 30", "c 35", "c 36", "a 40", "a 70"]);
});

test("steps: a job that is in a hurry goes before all others", async () => {
  const steps = createSteps<string>(() => undefined);
  const order: string[] = [];
  const late = readClock() + 2 * stepLimits.idleAhead;
  const run = (job: string, due: number) => steps.wait(job, due).then(() => order.push(job));
  const all = [run("a", 1), run("b", 2), run("c", late)];
  steps.hurry("c", -Infinity);
  steps.hurry("nobody", -Infinity);
  await Promise.all(all);
  expect(order).toEqual(["c", "a", "b"]);
});

test("steps: one at a time, and in a burst the event loop turns every few ms", async () => {
  const steps = createSteps<number>(() => undefined);
  const stepMs = 1;
  const count = 60;
  let done = 0;
  const turns: number[] = [];
  const jobs = Array.from({ length: count }, async (_, job) => {
    await steps.wait(job, readClock());
    await Promise.resolve();
    spin(stepMs);
    done += 1;
  });
  const all = Promise.all(jobs);
  for (let before = 0; before < count; before = done) {
    await eventLoop();
    turns.push(done - before);
  }
  await all;
  expect(Math.max(...turns)).toBeLessThanOrEqual(stepLimits.slice / stepMs + 1);
});

test("steps: with nothing else to do they are taken 10 s early, no earlier, and at half speed", async () => {
  const steps = createSteps<string>(() => undefined);
  const began = readClock();
  let due = began;
  let taken = 0;
  let slept = 0;
  const ahead = (async () => {
    for (;;) {
      const before = readClock();
      await steps.wait("ahead", due);
      if (taken === 400) return;
      const now = readClock();
      expect(due - now).toBeLessThanOrEqual(stepLimits.idleAhead);
      if (due - before > stepLimits.ahead) slept += now - before;
      spin(0.1);
      taken += 1;
      due += 60;
    }
  })();
  while (due < began + stepLimits.idleAhead) await eventLoop();
  expect(slept).toBeGreaterThan(10);
  const soon = Array.from({ length: 5 }, (_, at) => steps.wait(`soon ${at}`, readClock()));
  await Promise.all(soon);
  steps.hurry("ahead", -Infinity);
  taken = 400;
  await ahead;
});

test("steps: the owner hears which job computes, and when none does", async () => {
  const heard: (string | undefined)[] = [];
  const steps = createSteps<string>((job) => heard.push(job));
  expect(steps.tired).toBe(true);
  const a = steps.wait("a", 2).then(() => steps.tired);
  const b = steps.wait("b", 1);
  expect(await a).toBe(false);
  await b;
  await eventLoop();
  expect(heard).toEqual(["b", "a", undefined]);
  expect(steps.tired).toBe(true);
});
