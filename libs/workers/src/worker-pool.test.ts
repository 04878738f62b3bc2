import { afterEach, expect, test } from "vitest";
import { WorkerError } from "./worker-error.ts";
import { createWorkerPool, type WorkerPool } from "./worker-pool.ts";

interface Contract {
  readonly data: { readonly greeting: string };
  readonly request: { readonly act: string; readonly count?: number };
  readonly input: number;
  readonly result: unknown;
}

const code = `
  import { threadId } from "node:worker_threads";
  import { serveWorker } from ${JSON.stringify(new URL("../dist/serve-worker.js", import.meta.url).href)};
  await serveWorker((data) => async function* ({ act, count }, { signal, input }) {
    if (act === "greet") yield data.greeting;
    if (act === "thread") yield threadId;
    if (act === "count") for (let i = 0; i < count; i++) yield i;
    if (act === "bytes") yield new Uint8Array(count);
    if (act === "sum") { let sum = 0; for await (const value of input) yield (sum += value); }
    if (act === "wait") { yield threadId; await new Promise((r) => signal.addEventListener("abort", r)); }
    if (act === "spin") { yield threadId; for (;;); }
    if (act === "die") process.exit(3);
    if (act === "fail") throw Object.assign(new RangeError("no"), { code: 7 });
  }, (value) => (value instanceof Uint8Array ? [value.buffer] : []));
`;
const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
const data = { greeting: "hello" };

let pool: WorkerPool<Contract>;
const start = (options?: {
  size?: number;
  perWorker?: number;
  maxWaiting?: number;
  graceMs?: number;
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
const first = async (results: AsyncIterable<unknown>) => {
  const { value } = await results[Symbol.asyncIterator]().next();
  return value as unknown;
};

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

test("worker pool: a worker that ignores an abort is replaced", async () => {
  start({ graceMs: 50 });
  const stop = new AbortController();
  const spinning = await first(pool.stream({ act: "spin" }, stop.signal));
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

test("worker pool: a thread that hangs is replaced even if no task is aborted, and its tasks end with died", async () => {
  start({ hangMs: 200 });
  const hanging = pool.stream({ act: "spin" })[Symbol.asyncIterator]();
  const thread: unknown = (await hanging.next()).value;
  await expect(hanging.next()).rejects.toMatchObject({ name: "WorkerError", code: "died" });
  expect(await pool.call({ act: "thread" })).not.toBe(thread);
});
