import { expect, onTestFinished, test, vi } from "vitest";
import { createPool, type Job, type Pool, type PoolOptions } from "./pool.ts";
import { createRateLimit } from "./rate-limit.ts";

const create = (options: Partial<PoolOptions> = {}) =>
  createPool({ name: "test", slots: 1, timeoutMs: 60_000, ...options });
const job = (device: string, more: Partial<Job> = {}): Job => ({ priority: "high", device, ...more });
const high = (pool: Pool) => pool.stats().work.find(({ priority }) => priority === "high")!;

/** Work that ends when it is told to. */
function createWork() {
  let finish!: (value: string) => void;
  let fail!: (error: Error) => void;
  const settled = new Promise<string>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  let begin!: (signal: AbortSignal) => void;
  const started = new Promise<AbortSignal>((resolve) => (begin = resolve));
  return {
    started,
    finish,
    fail,
    run: (signal: AbortSignal) => {
      begin(signal);
      return settled;
    },
  };
}

test("pool: no more jobs run than it has slots", async () => {
  const pool = create({ slots: 3 });
  let running = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, (running += 1));
    await new Promise(setImmediate);
    running -= 1;
  };
  await Promise.all(Array.from({ length: 20 }, (_, i) => pool.run(job(`d${i}`), work)));
  expect(most).toBe(3);
  expect(high(pool)).toMatchObject({ submitted: 20, waited: 17, done: 20, peak: 3, running: 0, waiting: 0 });
});

test("pool: one job more than may wait is refused by name, and counted", async () => {
  const pool = create({ waiting: { high: 2, normal: 1, low: 1 } });
  const first = createWork();
  const jobs = [pool.run(job("a"), first.run), pool.run(job("b"), first.run), pool.run(job("c"), first.run)];
  await expect(pool.run(job("d"), first.run)).rejects.toMatchObject({ name: "PoolFullError", code: "full" });
  const normal = pool.run(job("d", { priority: "normal" }), first.run);
  first.finish("done");
  await Promise.all([...jobs, normal]);
  expect(high(pool)).toMatchObject({ submitted: 4, done: 3, shed: 1 });
});

test("pool: a job that waited longer than its patience is refused, and never runs", async () => {
  const pool = create();
  const first = createWork();
  const running = pool.run(job("a"), first.run);
  const late = pool.run(job("b", { patienceMs: 1 }), () => Promise.reject(new Error("ran")));
  await expect(late).rejects.toMatchObject({ name: "PoolFullError", code: "late" });
  first.finish("done");
  await running;
  expect(high(pool)).toMatchObject({ done: 1, shed: 1, waiting: 0 });
});

test("pool: who waits is told soon if the job will begin late, or else when it is late", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const pool = create();
  const usual = createWork();
  const measured = pool.run(job("a"), usual.run);
  await vi.advanceTimersByTimeAsync(300);
  usual.finish("done");
  await measured;
  const first = createWork();
  const running = pool.run(job("a"), first.run);
  const began = performance.now();
  const told: string[] = [];
  const wait = (name: string, inMs: number) =>
    pool.run(job(name, { late: { at: began + inMs, tell: () => told.push(name) } }), async () => undefined);
  const waiting = [wait("will be late", 250), wait("is late", 900), wait("begins in time", 1500)];
  await vi.advanceTimersByTimeAsync(0);
  expect(told).toEqual(["will be late"]);
  await vi.advanceTimersByTimeAsync(899);
  expect(told).toEqual(["will be late"]);
  await vi.advanceTimersByTimeAsync(1);
  expect(told).toEqual(["will be late", "is late"]);
  first.finish("done");
  await Promise.all([running, ...waiting]);
  await vi.advanceTimersByTimeAsync(2000);
  expect(told).toEqual(["will be late", "is late"]);
});

test("pool: who waits for the rate is told", async () => {
  const rate = createRateLimit(1);
  rate.take();
  const pool = create({ rate });
  const told = new Promise<void>((resolve) => {
    const late = { at: performance.now() + 1000, tell: resolve };
    pool.run(job("a", { late, patienceMs: 90_000 }), async () => undefined).catch(() => undefined);
  });
  const from = performance.now();
  await told;
  expect(performance.now() - from).toBeLessThan(500);
  pool.close();
});

test("pool: a timeout frees the slot of work that ignores its signal", async () => {
  const pool = create({ timeoutMs: 10 });
  const deaf = createWork();
  const timedOut = pool.run(job("a"), deaf.run);
  const next = pool.run(job("b"), async () => "next");
  await expect(timedOut).rejects.toMatchObject({ name: "PoolTimeoutError" });
  expect((await deaf.started).reason).toMatchObject({ name: "PoolTimeoutError" });
  expect(await next).toBe("next");
  expect(high(pool)).toMatchObject({ timedOut: 1, done: 1, running: 0 });
});

test("pool: an abort of a waiting job is its end at once", async () => {
  const pool = create();
  const first = createWork();
  const running = pool.run(job("a"), first.run);
  const abort = new AbortController();
  const waiting = pool.run(job("b"), () => Promise.reject(new Error("ran")), abort.signal);
  expect(high(pool).waiting).toBe(1);
  abort.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  expect(high(pool)).toMatchObject({ waiting: 0, running: 1, failed: 0, shed: 0 });
  first.finish("done");
  await running;
});

test("pool: an aborted job keeps its slot until its work has settled", async () => {
  const pool = create();
  const first = createWork();
  const abort = new AbortController();
  const aborted = pool.run(job("a"), first.run, abort.signal);
  const signal = await first.started;
  const next = pool.run(job("b"), async () => "next");
  abort.abort(new Error("enough"));
  expect(signal.aborted).toBe(true);
  expect(high(pool)).toMatchObject({ running: 1, waiting: 1 });
  first.fail(new Error("the request was aborted"));
  await expect(aborted).rejects.toThrow("the request was aborted");
  expect(await next).toBe("next");
  expect(high(pool)).toMatchObject({ done: 1, failed: 0, running: 0 });
});

test("pool: an aborted job whose work never settles loses its slot", async () => {
  const pool = create();
  const deaf = createWork();
  const abort = new AbortController();
  const aborted = pool.run(job("a"), deaf.run, abort.signal);
  await deaf.started;
  abort.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  expect(await pool.run(job("b"), async () => "next")).toBe("next");
});

test("pool: a signal that has aborted before refuses the job", async () => {
  const pool = create();
  const reason = new Error("enough");
  await expect(pool.run(job("a"), async () => "ran", AbortSignal.abort(reason))).rejects.toBe(reason);
  expect(high(pool).submitted).toBe(0);
});

test("pool: a stream holds its slot until its end", async () => {
  const pool = create();
  const results = pool.stream(job("a"), async function* () {
    yield 1;
    yield 2;
  });
  expect(await results.next()).toEqual({ done: false, value: 1 });
  const next = pool.run(job("b"), async () => "next");
  expect(high(pool)).toMatchObject({ running: 1, waiting: 1 });
  expect(await results.next()).toEqual({ done: false, value: 2 });
  expect(await results.next()).toEqual({ done: true, value: undefined });
  expect(await next).toBe("next");
});

test("pool: a reader that leaves a stream ends its work, then frees the slot", async () => {
  const pool = create();
  let ended = false;
  let signal: AbortSignal | undefined;
  const results = pool.stream(job("a"), async function* (given) {
    signal = given;
    try {
      yield 1;
      yield 2;
    } finally {
      ended = true;
    }
  });
  for await (const _ of results) break;
  expect([ended, signal?.aborted]).toEqual([true, true]);
  expect(high(pool)).toMatchObject({ running: 0, done: 0, failed: 0 });
});

test("pool: a stream that hangs is timed out, also between its results", async () => {
  const pool = create({ timeoutMs: 300 });
  const results = pool.stream(job("a"), async function* () {
    yield 1;
    await new Promise(() => undefined);
  });
  await results.next();
  await expect(results.next()).rejects.toMatchObject({ name: "PoolTimeoutError" });
  expect(high(pool)).toMatchObject({ running: 0, timedOut: 1 });
});

test("pool: the time of a stream's reader does not count", async () => {
  const pool = create({ timeoutMs: 300 });
  const results = pool.stream(job("a"), async function* () {
    yield 1;
    yield 2;
  });
  await results.next();
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(await results.next()).toEqual({ done: false, value: 2 });
  await results.return();
});

test("pool: a failed stream is counted and frees its slot", async () => {
  const pool = create();
  // oxlint-disable-next-line require-yield
  const results = pool.stream(job("a"), async function* () {
    throw new Error("no");
  });
  await expect(results.next()).rejects.toThrow("no");
  expect(high(pool)).toMatchObject({ running: 0, failed: 1 });
});

test("pool: closing ends all jobs, and refuses others", async () => {
  const pool = create();
  const first = createWork();
  const running = pool.run(job("a"), (signal) => {
    signal.addEventListener("abort", () => first.fail(signal.reason as Error));
    return first.run(signal);
  });
  const waiting = pool.run(job("b"), async () => "ran");
  await first.started;
  pool.close();
  const closed = { name: "PoolClosedError" };
  await expect(running).rejects.toMatchObject(closed);
  await expect(waiting).rejects.toMatchObject(closed);
  await expect(pool.run(job("c"), async () => "ran")).rejects.toMatchObject(closed);
});

test("pool: over the rate, a job whose turn comes too late is refused at once", async () => {
  const pool = create({ slots: 9, rate: createRateLimit(2), patienceMs: 30_000 });
  const work = async () => "done";
  await Promise.all([pool.run(job("a"), work), pool.run(job("b"), work)]);
  expect(pool.waitMs("high")).toBeGreaterThan(50_000);
  await expect(pool.run(job("c"), work)).rejects.toMatchObject({ name: "PoolFullError", code: "late" });
  expect(pool.recorder.read().limited).toBe(1);
  expect(high(pool)).toMatchObject({ submitted: 3, done: 2, shed: 1 });
});

test("pool: a job with a free slot waits 0 ms, one behind a full pool about as long as work takes", async () => {
  const pool = create({ slots: 2 });
  expect(pool.waitMs("high")).toBe(0);
  const first = createWork();
  const jobs = [1, 2, 3].map((i) => pool.run(job(`d${i}`), first.run));
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(pool.waitMs("high")).toBeGreaterThan(20);
  first.finish("done");
  await Promise.all(jobs);
  expect(pool.waitMs("low")).toBe(0);
});
