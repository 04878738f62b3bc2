import { afterEach, expect, test } from "vitest";
import { createWorkerPool, type WorkerPool } from "./worker-pool.ts";

interface Contract {
  readonly data: null;
  readonly request: {
    readonly act: string;
    readonly count?: number;
    readonly flag?: () => void;
    readonly memory?: Int32Array;
  };
  readonly input: number | (() => void);
  readonly result: unknown;
}

const code = `
  import { threadId } from "node:worker_threads";
  import { serveWorker } from ${JSON.stringify(new URL("../dist/serve-worker.js", import.meta.url).href)};
  const spin = (ms) => { for (const until = performance.now() + ms; performance.now() < until;); };
  await serveWorker(() => async function* ({ act, count, memory }, { input, repeated }) {
    if (act === "die at 6") {
      const isSecond = Atomics.add(memory, 0, 1) === 1;
      let first;
      for await (const value of input) {
        first ??= value;
        if (value === 6 && !isSecond) process.exit(3);
        yield value;
      }
      if (first === 3 && repeated > 0) Atomics.store(memory, 1, first);
    }
    if (act === "greet") yield "hello";
    if (act === "thread") yield threadId;
    if (act === "read") for await (const value of input) { spin(1); yield value; }
    if (act === "toil") { yield threadId; for (let i = 0; i < count; i++) { spin(1); yield i; } }
    if (act === "toil slowly") { yield 1; spin(200); yield 2; }
  });
`;
const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`);

let pool: WorkerPool<Contract>;
const start = (perWorker = 1) => {
  pool = createWorkerPool<Contract>({ url, size: 1, workerData: null, perWorker });
  return pool;
};
afterEach(() => pool.close());

const collect = async (results: AsyncIterable<unknown>) => {
  const all: unknown[] = [];
  for await (const result of results) all.push(result);
  return all;
};

test("worker pool: an abort is heard while the thread computes without a pause", async () => {
  start(2);
  await pool.ready();
  const beside = pool.open({ act: "read" });
  for (let i = 0; i < 300; i += 1) beside.write(i);
  const stop = new AbortController();
  const endless = pool.stream({ act: "toil", count: Infinity }, stop.signal)[Symbol.asyncIterator]();
  const thread: unknown = (await endless.next()).value;
  stop.abort();
  // It needs the slot of the aborted task.
  expect(await pool.call({ act: "thread" })).toBe(thread);
  beside.end();
  expect(await collect(beside.results)).toHaveLength(300);
});

test("worker pool: an abort discards the input that was not read", async () => {
  start();
  const stop = new AbortController();
  const task = pool.open({ act: "read" }, stop.signal);
  for (let i = 0; i < 100_000; i += 1) task.write(i);
  const results = task.results[Symbol.asyncIterator]();
  expect((await results.next()).value).toBe(0);
  stop.abort();
  expect(await pool.call({ act: "greet" })).toBe("hello");
});

test("worker pool: tasks whose input has ended go before those that still go on", async () => {
  start(4);
  await pool.ready();
  const ends: string[] = [];
  const read = async (name: string, task: ReturnType<typeof pool.open>) => {
    for await (const value of task.results) if (value === 99) ends.push(name);
  };
  const [going, ...ended] = ["going", "first", "second"].map((name) => {
    const task = pool.open({ act: "read" });
    return { task, done: read(name, task) };
  });
  for (const { task } of [going!, ...ended]) for (let i = 0; i < 100; i += 1) task.write(i);
  for (const { task } of ended) task.end();
  await Promise.all(ended.map(({ done }) => done));
  expect(ends).toEqual(["first", "second"]);
  going!.task.end();
  await going!.done;
});

test("worker pool: the first result of a task leaves before the next one is computed", async () => {
  start();
  await pool.ready();
  const results = pool.stream({ act: "toil slowly" })[Symbol.asyncIterator]();
  await results.next();
  const from = performance.now();
  await results.next();
  expect(performance.now() - from).toBeGreaterThan(100);
});

test("worker pool: a request or an input that cannot be copied ends its own task", async () => {
  start(3);
  const bad = { act: "greet", flag: () => undefined };
  const fed = pool.open({ act: "read" });
  fed.write(() => undefined);
  const beside = pool.call({ act: "greet" });
  await expect(pool.call(bad)).rejects.toMatchObject({ name: "DataCloneError" });
  await expect(collect(fed.results)).rejects.toMatchObject({ name: "DataCloneError" });
  expect(await beside).toBe("hello");
  const slots = [1, 2, 3].map(() => pool.call({ act: "greet" }));
  expect(await Promise.all(slots)).toEqual(["hello", "hello", "hello"]);
});

test("worker pool: after a loss, a task goes on behind the inputs that were forgotten, with the results behind them", async () => {
  pool = createWorkerPool<Contract>({ url, size: 1, workerData: null, onLoss: "resume" });
  const memory = new Int32Array(new SharedArrayBuffer(8));
  const task = pool.open({ act: "die at 6", memory });
  for (let i = 0; i < 4; i += 1) task.write(i);
  const results = task.results[Symbol.asyncIterator]();
  for (let i = 0; i < 4; i += 1) expect((await results.next()).value).toBe(i);
  task.forget({ inputs: 1, results: 1 });
  task.forget({ inputs: 3, results: 3 });
  for (let i = 4; i < 10; i += 1) task.write(i);
  task.end();
  const rest: unknown[] = [];
  for (let next = await results.next(); !next.done; next = await results.next()) rest.push(next.value);
  expect(rest).toEqual([4, 5, 6, 7, 8, 9]);
  // The second thread began with the input 3, and knew how many results were there already.
  expect(Atomics.load(memory, 1)).toBe(3);
  expect(Atomics.load(memory, 0)).toBe(2);
});
