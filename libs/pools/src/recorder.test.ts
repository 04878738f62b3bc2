import { PoolStats, priorities, type Priority } from "@voxbus/protocol";
import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createPool } from "./pool.ts";
import { createPoolRecorder, type Ending, type WorkRecord } from "./recorder.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

/** A step of a schedule. `pick` chooses one of the pieces of work. */
type Step =
  | { readonly act: "submit"; readonly priority: Priority }
  | { readonly act: "start" | "requeue"; readonly pick: number; readonly waited: boolean }
  | { readonly act: "end"; readonly pick: number; readonly ending: Ending }
  | { readonly act: "pause"; readonly ms: number };

const steps = fc.array<Step>(
  fc.oneof(
    fc.record({ act: fc.constant("submit" as const), priority: fc.constantFrom(...priorities) }),
    fc.record({ act: fc.constantFrom("start" as const, "requeue" as const), pick: fc.nat(99), waited: fc.boolean() }),
    fc.record({
      act: fc.constant("end" as const),
      pick: fc.nat(99),
      ending: fc.constantFrom<Ending>("done", "failed", "timedOut", "shed", "ended"),
    }),
    fc.record({ act: fc.constant("pause" as const), ms: fc.nat(9000) }),
  ),
  { maxLength: 200 },
);

/** One piece of work in the model: all that happened to it. */
interface Piece {
  readonly priority: Priority;
  readonly record: WorkRecord;
  readonly submittedAt: number;
  waited: boolean;
  starts: { at: number; waited: boolean; until?: number }[];
  /** `ms`: how long it ran, if it ran until its end. */
  ended?: { readonly ending: Ending; readonly at: number; readonly ms?: number };
}

const isRunning = ({ starts, ended }: Piece) =>
  ended === undefined && starts.length > 0 && starts.at(-1)!.until === undefined;
const rank = (times: readonly number[], share: number) =>
  times.length === 0 ? 0 : [...times].sort((a, b) => a - b)[Math.ceil(share * times.length) - 1]!;
const summary = (times: readonly number[]) => ({
  mean: times.length === 0 ? 0 : expect.closeTo(times.reduce((sum, ms) => sum + ms, 0) / times.length, 1),
  p50: rank(times, 0.5),
  p95: rank(times, 0.95),
  p99: rank(times, 0.99),
});

test("recorder: its numbers are those of the whole story, whatever the schedule", () => {
  fc.assert(
    fc.property(steps, (schedule) => {
      const slots = 3;
      const recorder = createPoolRecorder({ name: "test", slots });
      const began = performance.now();
      const pieces: Piece[] = [];
      const peaks = new Map<Priority, number>();
      for (const step of schedule) {
        const now = performance.now();
        if (step.act === "pause") vi.advanceTimersByTime(step.ms);
        else if (step.act === "submit") {
          const { priority } = step;
          pieces.push({ priority, record: recorder.submit(priority), submittedAt: now, waited: false, starts: [] });
        } else if (pieces.length > 0) act(pieces[step.pick % pieces.length]!, step, now);
        for (const priority of priorities) {
          const running = pieces.filter((piece) => piece.priority === priority && isRunning(piece)).length;
          peaks.set(priority, Math.max(peaks.get(priority) ?? 0, running));
        }
      }
      const now = performance.now();
      const stats = PoolStats.parse(recorder.stats());
      expect(stats).toEqual({
        name: "test",
        slots,
        busy: expect.closeTo(
          now === began
            ? 0
            : Math.min(1, pieces.reduce((sum, piece) => sum + heldMs(piece, now), 0) / slots / (now - began)),
          3,
        ),
        work: priorities.map((priority) => ({
          ...tell(
            pieces.filter((piece) => piece.priority === priority),
            now,
          ),
          priority,
          peak: peaks.get(priority) ?? 0,
        })),
      });
    }),
  );
});

test("recorder: the peak stays when less runs again", () => {
  const recorder = createPoolRecorder({ name: "test", slots: 3 });
  const run = () => {
    const record = recorder.submit("high");
    record.start();
    return record;
  };
  for (const record of [run(), run()]) record.end("done");
  run();
  expect(recorder.stats().work[0]).toMatchObject({ peak: 2, running: 1 });
});

function act(piece: Piece, step: Extract<Step, { pick: number }>, now: number): void {
  const { record } = piece;
  if (step.act === "end") {
    record.end(step.ending);
    const last = isRunning(piece) ? piece.starts.at(-1) : undefined;
    if (last !== undefined) last.until = now;
    piece.ended ??= { ending: step.ending, at: now, ...(last && { ms: now - last.at }) };
  } else if (step.act === "start") {
    if (step.waited) record.wait();
    record.start();
    piece.waited ||= step.waited;
    if (piece.ended === undefined && !isRunning(piece)) piece.starts.push({ at: now, waited: piece.waited });
  } else {
    record.requeue();
    if (isRunning(piece)) piece.starts.at(-1)!.until = now;
  }
}

function heldMs({ starts }: Piece, now: number): number {
  return starts.reduce((sum, { at, until = now }) => sum + until - at, 0);
}

function tell(pieces: readonly Piece[], now: number) {
  const count = (ending: Ending) => pieces.filter(({ ended }) => ended?.ending === ending).length;
  const running = pieces.filter(isRunning).length;
  const starts = pieces.flatMap(({ starts, submittedAt }) => starts.map((start) => ({ ...start, submittedAt })));
  const ended = pieces.filter((piece) => piece.ended !== undefined);
  const runs = ended.flatMap(({ ended }) => (ended?.ms === undefined || ended.at <= now - 60_000 ? [] : [ended.ms]));
  return {
    submitted: pieces.length,
    running,
    waiting: pieces.length - ended.length - running,
    waited: starts.filter(({ waited }) => waited).length,
    done: count("done"),
    failed: count("failed"),
    timedOut: count("timedOut"),
    shed: count("shed"),
    waitMs: summary(starts.filter(({ at }) => at > now - 60_000).map(({ at, submittedAt }) => at - submittedAt)),
    workMs: summary(runs),
  };
}

test("pool: whatever the schedule, each job ends once, and the numbers add up", async () => {
  const job = fc.record({
    priority: fc.constantFrom(...priorities),
    device: fc.constantFrom("a", "b", "c"),
    afterMs: fc.nat(300),
    workMs: fc.nat(2500),
    patienceMs: fc.integer({ min: 1, max: 3000 }),
    abortMs: fc.option(fc.nat(4000), { nil: undefined }),
    fails: fc.boolean(),
    hears: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(job, { maxLength: 40 }), async (slots, jobs) => {
      const pool = createPool({ name: "t", slots, timeoutMs: 2000, waiting: { high: 3, normal: 4, low: 5 } });
      const ends: Record<string, number> = { done: 0, failed: 0, timedOut: 0, shed: 0, ended: 0 };
      const running = new Set<object>();
      const all = jobs.map(async (one) => {
        await new Promise((resolve) => setTimeout(resolve, one.afterMs));
        const abort = new AbortController();
        if (one.abortMs !== undefined) setTimeout(() => abort.abort(new Error("aborted")), one.abortMs);
        const work = (signal: AbortSignal) =>
          new Promise<void>((resolve, reject) => {
            running.add(one);
            // Work that ignores its abort may outlast its slot.
            signal.addEventListener("abort", () => running.delete(one));
            if (one.hears) signal.addEventListener("abort", () => reject(signal.reason as Error));
            setTimeout(() => {
              running.delete(one);
              if (one.fails) reject(new Error("failed"));
              else resolve();
            }, one.workMs);
            expect(running.size).toBeLessThanOrEqual(slots);
          });
        await pool.run(one, work, abort.signal).then(
          () => (ends["done"]! += 1),
          (error: Error) => {
            const shed = error.name === "PoolFullError";
            const timedOut = error.name === "PoolTimeoutError";
            ends[shed ? "shed" : timedOut ? "timedOut" : abort.signal.aborted ? "ended" : "failed"]! += 1;
          },
        );
      });
      await vi.advanceTimersByTimeAsync(120_000);
      await Promise.all(all);
      const { work } = pool.stats();
      const sum = (field: "submitted" | "done" | "failed" | "timedOut" | "shed" | "running" | "waiting") =>
        work.reduce((total, one) => total + one[field], 0);
      expect([sum("running"), sum("waiting")]).toEqual([0, 0]);
      expect(sum("submitted")).toBe(jobs.length);
      expect([sum("timedOut"), sum("shed")]).toEqual([ends["timedOut"], ends["shed"]]);
      expect(sum("done") + sum("failed")).toBeLessThanOrEqual(ends["done"]! + ends["failed"]! + ends["ended"]!);
      expect(sum("done")).toBeLessThanOrEqual(ends["done"]!);
      for (const { waitMs } of work) expect(waitMs.p99).toBeLessThanOrEqual(3001);
    }),
    { numRuns: 50 },
  );
});
