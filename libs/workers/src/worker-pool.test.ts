import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { WorkerError } from "./worker-error.ts";
import { createWorkerPool, type WorkerPool } from "./worker-pool.ts";

interface Contract {
  readonly data: { readonly greeting: string };
  readonly request: { readonly act: string; readonly count?: number; readonly flag?: Int32Array };
  readonly input: number;
  readonly result: unknown;
}

const code = `
  import { readFileSync } from "node:fs";
  import { threadId } from "node:worker_threads";
  import { serveWorker } from ${JSON.stringify(new URL("../dist/serve-worker.js", import.meta.url).href)};
  const readTicks = () => readFileSync("/proc/thread-self/stat", "latin1").split(") ")[1].split(" ").slice(11, 13);
  const cpuMs = () => readTicks().reduce((ms, ticks) => ms + 10 * ticks, 0);
  await serveWorker((data) => async function* ({ act, count, flag }, { signal, input }) {
    if (act === "greet") yield data.greeting;
    if (act === "thread") yield threadId;
    if (act === "count") for (let i = 0; i < count; i++) yield i;
    if (act === "bytes") yield new Uint8Array(count);
    if (act === "sum") { let sum = 0; for await (const value of input) yield (sum += value); }
    if (act === "wait") { yield threadId; await new Promise((r) => signal.addEventListener("abort", r)); }
    if (act === "spin") { yield threadId; if (flag) Atomics.store(flag, 0, 1); for (;;); }
    if (act === "block") { yield threadId; Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); }
    if (act === "work") { for (const until = cpuMs() + count; cpuMs() < until;); yield threadId; }
    if (act === "die once") { yield 1; if (Atomics.add(flag, 0, 1) === 0) process.exit(3); yield 2; }
    if (act === "die") process.exit(3);
    if (act === "fail") throw Object.assign(new RangeError("no"), { code: 7 });
  }, { transfer: (value) => (value instanceof Uint8Array ? [value.buffer] : []) });
`;
const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
const data = { greeting: "hello" };
let pool: WorkerPool<Contract>;
const start = (options?: {
  size?: number | readonly [least: number, most: number];
  perWorker?: number;
  maxWaiting?: number;
  onLoss?: "end" | "repeat" | "resume";
  hangMs?: number;
  onLost?: (error: WorkerError) => void;
}) => {
  pool = createWorkerPool<Contract>({ url, size: 1, workerData: data, ...options });
  return pool;
};
afterEach(() => pool.close());

const collect = async (results: AsyncIterable<unknown>) => {
  const all: unknown[] = [];
  for await (const result of results) all.push(result);
  return all;
};
const first = async (results: AsyncIterable<unknown>) =>
  (await results[Symbol.asyncIterator]().next()).value as unknown;

test("worker pool: one result, many results, moved bytes, shared data", async () => {
  start({ size: 2 });
  await pool.ready();
  expect(await pool.call({ act: "greet" })).toBe("hello");
  expect(await collect(pool.stream({ act: "count", count: 5 }))).toEqual([0, 1, 2, 3, 4]);
  expect(await pool.call({ act: "bytes", count: 9 })).toEqual(new Uint8Array(9));
});

test("worker pool: tasks spread over the workers and wait for a free slot", async () => {
  start({ size: 2 });
  const stop = new AbortController();
  const threads = [1, 2].map(() => first(pool.stream({ act: "wait" }, stop.signal)));
  expect(new Set(await Promise.all(threads)).size).toBe(2);
  const waiting = pool.call({ act: "greet" });
  expect(pool.waiting).toBe(1);
  stop.abort();
  expect(await waiting).toBe("hello");
});

test("worker pool: all threads start with the pool, or one does and the others when tasks run together", async () => {
  start({ size: 2 });
  await pool.ready();
  expect(pool.threads).toBe(2);
  await pool.close();
  start({ size: [1, 3], perWorker: 5 });
  await pool.ready();
  for (let i = 0; i < 3; i += 1) expect(await pool.call({ act: "greet" })).toBe("hello");
  expect(pool.threads).toBe(1);
  const stop = new AbortController();
  const waits = [1, 2, 3, 4, 5, 6].map(() => first(pool.stream({ act: "wait" }, stop.signal)));
  expect(pool.threads).toBe(3);
  await Promise.all(waits);
  stop.abort();
});

test("worker pool: without a thread at the start, the first task starts a thread, and waits for it", async () => {
  start({ size: [0, 2] });
  await pool.ready();
  expect(pool.threads).toBe(0);
  const enough = new Error("enough");
  const stop = new AbortController();
  const given = pool.call({ act: "greet" }, stop.signal);
  stop.abort(enough);
  await expect(given).rejects.toBe(enough);
  expect(await pool.call({ act: "greet" })).toBe("hello");
  expect(pool.threads).toBe(1);
});

test("worker pool: a thread that starts late and cannot: its task ends with the error", async () => {
  const broken = new URL("data:text/javascript,process.exit(3)");
  const late = createWorkerPool<Contract>({
    url: broken,
    size: [0, 1],
    workerData: data,
  });
  await late.ready();
  await expect(late.call({ act: "greet" })).rejects.toMatchObject({ code: "not-started" });
  await late.close();
});

test("worker pool: an open task is fed while it runs", async () => {
  start();
  const task = pool.open({ act: "sum" });
  task.write(1);
  task.write(2);
  const results = task.results[Symbol.asyncIterator]();
  expect([await results.next(), await results.next()].map((result) => result.value as unknown)).toEqual([1, 3]);
  task.write(4);
  expect((await results.next()).value).toBe(7);
  task.end();
  expect((await results.next()).done).toBe(true);
});

test("worker pool: an error in the worker arrives with its name, message and code, and the worker goes on", async () => {
  start();
  await expect(pool.call({ act: "fail" })).rejects.toMatchObject({ name: "RangeError", message: "no", code: 7 });
  expect(await pool.call({ act: "greet" })).toBe("hello");
});

test("worker pool: an aborted task ends with the signal's reason and frees its slot", async () => {
  start();
  const stop = new AbortController();
  const reason = new Error("enough");
  const results = pool.stream({ act: "wait" }, stop.signal)[Symbol.asyncIterator]();
  const thread: unknown = (await results.next()).value;
  stop.abort(reason);
  await expect(results.next()).rejects.toBe(reason);
  expect(await pool.call({ act: "thread" })).toBe(thread);
  expect(() => pool.stream({ act: "greet" }, stop.signal)).toThrow(reason);
});

test("worker pool: a reader that leaves frees the slot", async () => {
  start();
  for await (const _ of pool.stream({ act: "wait" })) break;
  expect(await pool.call({ act: "greet" })).toBe("hello");
});

test("worker pool: a worker that never hears an abort is replaced", async () => {
  start({ hangMs: 200 });
  const stop = new AbortController();
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const spinning = await first(pool.stream({ act: "spin", flag }, stop.signal));
  await expect.poll(() => flag[0]).toBe(1);
  stop.abort();
  expect(await pool.call({ act: "thread" })).not.toBe(spinning);
});

test("worker pool: a worker that dies is replaced, and its tasks end with died", async () => {
  start({ perWorker: 2 });
  const beside = collect(pool.stream({ act: "wait" }));
  const dying = pool.call({ act: "die" });
  await expect(dying).rejects.toMatchObject({ name: "WorkerError", code: "died" });
  await expect(beside).rejects.toMatchObject({ code: "died" });
  expect(await pool.call({ act: "greet" })).toBe("hello");
});

test("worker pool: a thread that ends young is reported, and replaced a second after its start", async () => {
  const lost: string[] = [];
  const began = performance.now();
  start({ onLost: ({ code }) => lost.push(code) });
  for (const times of [1, 2]) {
    await expect(pool.call({ act: "die" })).rejects.toMatchObject({ code: "died" });
    expect(lost).toHaveLength(times);
  }
  expect(performance.now() - began).toBeGreaterThan(1000);
  expect(lost).toEqual(["died", "died"]);
});

test("worker pool: the queue is bounded", async () => {
  start({ maxWaiting: 1 });
  await pool.ready();
  const stop = new AbortController();
  const running = pool.stream({ act: "wait" }, stop.signal);
  await first(running);
  const waiting = pool.call({ act: "greet" });
  expect(() => pool.stream({ act: "greet" })).toThrow(expect.objectContaining({ code: "full" }));
  stop.abort();
  expect(await waiting).toBe("hello");
});

test("worker pool: a worker that cannot start rejects ready() and the tasks that wait", async () => {
  pool = createWorkerPool<Contract>({
    url: new URL("data:text/javascript,throw new Error('no model')"),
    size: 1,
    workerData: data,
  });
  const waiting = pool.call({ act: "greet" });
  await expect(pool.ready()).rejects.toMatchObject({ code: "not-started", cause: { message: "no model" } });
  await expect(waiting).rejects.toBeInstanceOf(WorkerError);
});

test("worker pool: closing ends running and waiting tasks", async () => {
  start();
  const both = [collect(pool.stream({ act: "wait" })), pool.call({ act: "greet" })];
  const ended = Promise.allSettled(both);
  await pool.close();
  for (const each of await ended) expect(each).toMatchObject({ status: "rejected", reason: { code: "closed" } });
  expect(() => pool.stream({ act: "greet" })).toThrow(expect.objectContaining({ code: "closed" }));
});

test.each(["spin", "block"])(
  "worker pool: a thread that hangs (%s) is replaced, and its tasks end with died",
  async (act) => {
    start({ hangMs: 200 });
    const hanging = pool.stream({ act })[Symbol.asyncIterator]();
    const thread: unknown = (await hanging.next()).value;
    await expect(hanging.next()).rejects.toMatchObject({ name: "WorkerError", code: "died" });
    expect(await pool.call({ act: "thread" })).not.toBe(thread);
  },
);

test("worker pool: a thread without a task that hangs is replaced too", async () => {
  const lost: string[] = [];
  start({ hangMs: 200, onLost: ({ code }) => lost.push(code) });
  for await (const _ of pool.stream({ act: "block" })) break;
  await expect.poll(() => lost, { timeout: 10_000 }).toEqual(["died"]);
});

test("worker pool: a thread that works on many tasks in a row, and on aborted ones, is not replaced", async () => {
  const lost: string[] = [];
  start({ perWorker: 20, hangMs: 400, onLost: ({ code }) => lost.push(code) });
  await pool.ready();
  const stop = new AbortController();
  const tasks = Array.from({ length: 16 }, (_, i) =>
    collect(pool.stream({ act: "work", count: 60 }, i % 4 === 0 ? stop.signal : undefined)),
  );
  stop.abort();
  const settled = await Promise.allSettled(tasks);
  expect(settled.map(({ status }) => status)).toEqual(tasks.map((_, i) => (i % 4 === 0 ? "rejected" : "fulfilled")));
  expect(lost).toEqual([]);
});

test("worker pool: a thread that waits for a core is not replaced", async () => {
  // One core, shared with three spinning threads: a step takes four times as long as its CPU time.
  const script = `
    import { Worker } from "node:worker_threads";
    import { createWorkerPool } from ${JSON.stringify(new URL("../dist/worker-pool.js", import.meta.url).href)};
    let lost = 0;
    const pool = createWorkerPool({
      url: new URL(process.env.WORKER), size: 1, workerData: {}, hangMs: 400, onLost: () => (lost += 1),
    });
    await pool.ready();
    for (let i = 0; i < 3; i++) new Worker("for (;;);", { eval: true });
    const outcome = await pool.call({ act: "work", count: 250 }).then(() => "done", (error) => String(error));
    process.stdout.write(lost + " lost, " + outcome);
    process.exit();
  `;
  const args = ["-c", "0", process.execPath, "--input-type=module", "-e", script];
  const { stdout } = await promisify(execFile)("taskset", args, { env: { WORKER: url.href } });
  expect(stdout).toBe("0 lost, done");
}, 30_000);

test("worker pool: of a thread that is lost, only the task that it computed counts as the cause", async () => {
  start({ perWorker: 8, hangMs: 200, onLoss: "resume" });
  await pool.ready();
  const beside = Array.from({ length: 5 }, () => pool.open({ act: "sum" }));
  const sums = beside.map(({ results }) => results[Symbol.asyncIterator]());
  for (const task of beside) for (const value of [1, 2]) task.write(value);
  for (const sum of sums) for (const value of [1, 3]) expect((await sum.next()).value).toBe(value);
  const hanging = collect(pool.stream({ act: "spin" }));
  for (const task of beside) {
    task.write(4);
    task.end();
  }
  await expect(hanging).rejects.toMatchObject({ code: "died" });
  for (const sum of sums) {
    expect((await sum.next()).value).toBe(7);
    expect((await sum.next()).done).toBe(true);
  }
}, 15_000);

test("worker pool: a task of a lost thread runs again, and gives all results again or only the rest", async () => {
  const run = async (onLoss: "repeat" | "resume") => {
    start({ size: 2, onLoss });
    await pool.ready();
    const results = await collect(pool.stream({ act: "die once", flag: new Int32Array(new SharedArrayBuffer(4)) }));
    await pool.close();
    return results;
  };
  expect(await run("repeat")).toEqual([1, 1, 2]);
  expect(await run("resume")).toEqual([1, 2]);
});
