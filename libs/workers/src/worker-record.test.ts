import { afterEach, expect, test, vi } from "vitest";
import { createWorkerPool, type WorkerPool } from "./worker-pool.ts";

interface Contract {
  readonly data: null;
  readonly request: { readonly act: "give" | "fail" | "wait" | "die" | "compute" };
  readonly input: never;
  readonly result: number;
}

const code = `
  import { serveWorker } from ${JSON.stringify(new URL("../dist/serve-worker.js", import.meta.url).href)};
  await serveWorker(() => async function* ({ act }, { signal }) {
    yield 1;
    if (act === "fail") throw new Error("no");
    if (act === "wait") await new Promise((r) => signal.addEventListener("abort", r));
    if (act === "die") process.exit(3);
    if (act === "compute") for (const until = performance.now() + 200; performance.now() < until;);
  });
`;
const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`);

let pool: WorkerPool<Contract>;
afterEach(() => pool.close());

const start = async (maxWaiting = 100) => {
  pool = createWorkerPool<Contract>({ url, size: 1, workerData: null, maxWaiting });
  await pool.ready();
};
const high = () => pool.recorder.stats().work[0]!;
const finish = async (act: Contract["request"]["act"], signal?: AbortSignal) => {
  try {
    await pool.call({ act }, signal);
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
  }
};

test("workers' record: a task is counted by its end, and whether it waited", async () => {
  await start();
  await Promise.all([finish("give"), finish("fail"), finish("give")]);
  expect(high()).toMatchObject({ submitted: 3, waited: 2, peak: 1, done: 2, failed: 1, running: 0, waiting: 0 });
  await finish("die");
  expect(high()).toMatchObject({ submitted: 4, failed: 2 });
});

test("workers' record: a task that its caller gives up is no success and no failure", async () => {
  await start();
  const leave = new AbortController();
  const running = finish("wait", leave.signal);
  const waiting = finish("give", leave.signal);
  expect(high()).toMatchObject({ running: 1, waiting: 1 });
  leave.abort(new Error("enough"));
  await Promise.all([running, waiting]);
  await vi.waitFor(() => expect(high()).toMatchObject({ running: 0, waiting: 0, done: 0, failed: 0 }));
});

test("workers' record: a task that does not fit is shed", async () => {
  await start(1);
  const leave = new AbortController();
  const given = [finish("wait", leave.signal), finish("give")];
  await finish("give");
  expect(high()).toMatchObject({ submitted: 3, shed: 1 });
  leave.abort(new Error("enough"));
  await Promise.all(given);
});

test("workers' record: a thread that computes is busy, one that waits is not", async () => {
  await start();
  pool.recorder.stats();
  await finish("compute");
  const computed = pool.recorder.read().busyMs;
  expect(pool.recorder.stats().busy).toBeGreaterThan(0.5);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(pool.recorder.stats().busy).toBeLessThan(0.5);
  expect(computed).toBeGreaterThan(150);
});
