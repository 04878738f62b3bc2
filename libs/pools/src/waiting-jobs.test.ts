import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createWaitingJobs, type JobPlace } from "./waiting-jobs.ts";

const place = (device: string, more: Partial<JobPlace> = {}): JobPlace => ({
  device,
  priority: "high",
  due: 0,
  continues: false,
  ...more,
});

/** Starts every job, one after the other; each ends before the next one starts. */
function drain(jobs: readonly JobPlace[]): readonly JobPlace[] {
  const waiting = createWaitingJobs();
  for (const job of jobs) waiting.add(job);
  const order: JobPlace[] = [];
  for (let next = waiting.peek(); next !== undefined; next = waiting.peek()) {
    waiting.start(next);
    waiting.end(next);
    order.push(next);
  }
  return order;
}

test("waiting jobs: a higher priority comes first", () => {
  const [low, normal, high] = (["low", "normal", "high"] as const).map((priority) => place("a", { priority }));
  expect(drain([low!, normal!, high!])).toEqual([high, normal, low]);
});

test("waiting jobs: work that continues comes before new work, also of its own device", () => {
  const fresh = place("a");
  const later = place("b", { due: 9, continues: true });
  const own = place("b", { due: 1 });
  expect(drain([fresh, own, later])).toEqual([later, fresh, own]);
});

test("waiting jobs: work that continues waits for others if it is due later than in 2 s", () => {
  const now = performance.now();
  const ahead = place("a", { due: now + 8000, continues: true });
  const fresh = place("b", { due: now });
  const soon = place("c", { due: now + 1500, continues: true });
  expect(drain([ahead, fresh, soon])).toEqual([soon, fresh, ahead]);
});

test("waiting jobs: of several devices, the earliest due comes first", () => {
  const late = place("a", { due: 3 });
  const early = place("b", { due: 1 });
  const second = place("c", { due: 2 });
  expect(drain([late, early, second])).toEqual([early, second, late]);
});

test("waiting jobs: a device with 50 jobs delays another device by one job", () => {
  const greedy = Array.from({ length: 50 }, (_, due) => place("greedy", { due }));
  const waiting = createWaitingJobs();
  for (const job of greedy) waiting.add(job);
  for (let i = 0; i < 20; i += 1) waiting.start(waiting.peek()!);
  const other = place("other", { due: 100 });
  waiting.add(other);
  expect(waiting.peek()).toBe(other);
});

test("waiting jobs: a device whose job runs comes after one without", () => {
  const waiting = createWaitingJobs();
  const running = place("a");
  waiting.add(running);
  waiting.start(running);
  waiting.add(place("a", { due: 1 }));
  const other = place("b", { due: 2 });
  waiting.add(other);
  expect(waiting.peek()).toBe(other);
  waiting.end(running);
});

test("waiting jobs: devices that wait all the time start equally often", () => {
  const devices = fc.array(fc.tuple(fc.constantFrom("a", "b", "c", "d"), fc.nat(100)), { maxLength: 60 });
  fc.assert(
    fc.property(devices, (jobs) => {
      const left = new Map<string, number>();
      const places = jobs.map(([device, due]) => place(device, { due }));
      for (const { device } of places) left.set(device, (left.get(device) ?? 0) + 1);
      const started = new Map([...left.keys()].map((device) => [device, 0]));
      for (const { device } of drain(places)) {
        started.set(device, started.get(device)! + 1);
        left.set(device, left.get(device)! - 1);
        const waiting = [...left].filter(([, count]) => count > 0).map(([name]) => started.get(name)!);
        expect(Math.max(0, ...waiting) - Math.min(...waiting, Infinity)).toBeLessThanOrEqual(1);
      }
    }),
  );
});

test("waiting jobs: each lower priority that waits gets one start in eleven", () => {
  const many = (priority: JobPlace["priority"]) =>
    Array.from({ length: 100 }, (_, i) => place(`${priority}${i}`, { priority }));
  const order = drain([...many("high"), ...many("normal"), ...many("low")]).slice(0, 110);
  const count = (priority: JobPlace["priority"]) => order.filter((job) => job.priority === priority).length;
  expect([count("high"), count("normal"), count("low")]).toEqual([90, 10, 10]);
});
