import { createPoolRecorder, type PoolRecorder, type RecorderOptions, type WorkRecord } from "@voxbus/pools";
import type { Priority } from "@voxbus/protocol";
import { createTask, type OnLoss, type Task } from "./task.ts";
import { startThread, type Thread } from "./thread.ts";
import { watchThreads } from "./watch-threads.ts";
import { WorkerError } from "./worker-error.ts";
import type { WorkerContract } from "./worker-messages.ts";

/** A task that is fed while it runs. It holds its worker's slot until its results end. */
export interface OpenTask<Contract extends WorkerContract> {
  /**
   * Sends a value to the task, with all others of this event-loop turn. It must not change afterwards. Ignored once the task
   * has ended. `transfer` names buffers that are moved, not copied.
   */
  write(value: Contract["input"], transfer?: readonly ArrayBuffer[]): void;
  /**
   * Frees the first `inputs` values that were written, which are otherwise kept for another thread (`resume`). It begins behind
   * them, with the result number `results`.
   */
  forget(options: { readonly inputs: number; readonly results: number }): void;
  /** Ends the task's input. */
  end(): void;
  /** The task's results, in order; throws the error that ended the task early. Leaving the loop aborts the task. */
  readonly results: AsyncIterable<Contract["result"]>;
}

/** Worker threads that all do the same work. */
export interface WorkerPool<Contract extends WorkerContract> {
  /** Resolves when the workers that start with the pool are ready. Rejects with a `WorkerError` if one cannot start. */
  ready(): Promise<void>;
  /** Runs a task and streams its results. If the signal aborts, its reason is thrown. */
  stream(request: Contract["request"], signal?: AbortSignal): AsyncIterable<Contract["result"]>;
  /** Runs a task that yields exactly one result. */
  call(request: Contract["request"], signal?: AbortSignal): Promise<Contract["result"]>;
  /** Opens a task on one worker, to feed it while it runs. The statistics count it under its priority (`high`). */
  open(request: Contract["request"], signal?: AbortSignal, priority?: Priority): OpenTask<Contract>;
  /** Starts one more thread, up to the most. */
  grow(): void;
  /** The number of threads that were started. */
  readonly threads: number;
  /** The number of tasks that run. */
  readonly busy: number;
  /** The number of tasks that wait for a free slot. */
  readonly waiting: number;
  /** The statistics of the pool. Its slots are its threads, which are busy while their event loops are not idle. */
  readonly recorder: PoolRecorder;
  /** Ends all tasks with a `WorkerError`, then all workers. */
  close(): Promise<void>;
}

/** The size and limits of a pool. */
export interface WorkerPoolOptions<Contract extends WorkerContract> {
  /** The worker's module, which calls `serveWorker`. */
  readonly url: URL;
  /**
   * Number of threads, or those at the start and at most. The others then start when as many tasks run together, or with
   * `on request` when `grow` is called.
   */
  readonly size: number | readonly [least: number, most: number, growth?: "on request"];
  readonly workerData: Contract["data"];
  /** Tasks that one thread runs at the same time (1). */
  readonly perWorker?: number;
  /** Tasks that may wait for a free slot (100). One more is refused with `full`. */
  readonly maxWaiting?: number;
  /** A thread is replaced if one step takes longer than this (10 s), in ms. The time in which it waits for a core does not count. */
  readonly hangMs?: number;
  /** The fate of the tasks of a lost thread (`end`). Tasks that run again keep their input until they end. */
  readonly onLoss?: OnLoss;
  /** Called when a thread has ended. Another one replaces it, but none within a second of its own start. */
  readonly onLost?: (error: WorkerError) => void;
}

// A worker that ends young would do so again at once.
const restartMs = 1000;

/**
 * Starts a pool. A worker that dies or hangs is replaced. Its tasks run again, or end with the `WorkerError` `died`. The
 * statistics have its name.
 */
export function createWorkerPool<Contract extends WorkerContract>(
  options: WorkerPoolOptions<Contract>,
  name = "workers",
): WorkerPool<Contract> {
  const { url, size, workerData, onLost, perWorker = 1, maxWaiting = 100, hangMs = 10_000, onLoss = "end" } = options;
  const [least, most, growth] = typeof size === "number" ? [size, size] : size;
  const threads = new Set<Thread>();
  let waiting = new Set<Task>();
  const restarts = createRestarts(start);
  const started = createDeferred();
  /** Threads that run, or are about to start again. */
  let wanted = 0;
  let lastId = 0;
  let closed = false;
  const { recorder, lose } = createRecorder(threads, { name, slots: most, atOnce: most * perWorker });

  function assign() {
    if ([...threads].filter(({ ready }) => ready).length >= least) started.resolve();
    runTasks(waiting, threads, perWorker);
  }
  function start() {
    threads.add(startThread({ url, workerData, onFree: assign, onExit: replace }));
  }
  function growTo(count: number) {
    for (; wanted < Math.min(count, most); wanted += 1) start();
  }
  function replace(thread: Thread, error: WorkerError, tasks: readonly Task[]) {
    threads.delete(thread);
    lose(thread);
    waiting = new Set([...tasks, ...waiting]);
    if (closed) return endTasks(waiting, error);
    onLost?.(error);
    assign();
    if (error.code === "not-started") {
      started.reject(error);
      if (threads.size === 0) endTasks(waiting, error);
    }
    restarts.after(thread);
  }
  const onAbandoned = (task: Task) => waiting.delete(task);
  function addTask(request: unknown, signal?: AbortSignal, priority: Priority = "high"): Task {
    if (closed) throw new WorkerError("closed", "the worker pool is closed");
    signal?.throwIfAborted();
    const record = admit(recorder.submit(priority), { isFull: waiting.size >= maxWaiting, maxWaiting });
    const task = createTask({ id: ++lastId, request, signal, onLoss, record, onAbandoned });
    waiting.add(task);
    assign();
    if (waiting.has(task)) record.wait();
    growTo(growth === "on request" ? 1 : countTasks(threads) + waiting.size);
    return task;
  }
  const watch = watchThreads(threads, hangMs);
  growTo(least);
  assign();
  return {
    ready: () => started.promise,
    recorder,
    open: (request, signal, priority) => openTask(addTask(request, signal, priority)),
    stream: (request, signal) => addTask(request, signal).results,
    call: (request, signal) => readOne(addTask(request, signal)),
    grow: () => growTo(wanted + 1),
    get threads() {
      return wanted;
    },
    get busy() {
      return countTasks(threads);
    },
    get waiting() {
      return waiting.size;
    },
    async close() {
      closed = true;
      for (const part of [watch, restarts]) part.close();
      const error = new WorkerError("closed", "the worker pool was closed");
      started.reject(error);
      endTasks(waiting, error);
      await Promise.all([...threads].map((thread) => thread.close(error)));
    },
  };
}

/** Starts a thread in place of another one, but none within a second of that one's start. */
function createRestarts(start: () => void) {
  const timers = new Set<NodeJS.Timeout>();
  return {
    after({ startedAt }: Thread) {
      const pauseMs = startedAt + restartMs - performance.now();
      if (pauseMs <= 0) return start();
      const timer = setTimeout(() => (timers.delete(timer), start()), pauseMs);
      timers.add(timer);
    },
    close() {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

/** Creates the statistics of threads. `lose` keeps the time of a thread that has ended. */
function createRecorder(threads: ReadonlySet<Thread>, options: Omit<RecorderOptions, "busyMs">) {
  let lostMs = 0;
  const busyMs = () => lostMs + sum(threads, (thread) => thread.busyMs());
  return {
    recorder: createPoolRecorder({ ...options, busyMs }),
    lose: (thread: Thread) => void (lostMs += thread.busyMs()),
  };
}

function admit(record: WorkRecord, { isFull, maxWaiting }: { readonly isFull: boolean; readonly maxWaiting: number }) {
  if (!isFull) return record;
  record.end("shed");
  throw new WorkerError("full", `${maxWaiting} tasks already wait for a worker`);
}

/** Runs waiting tasks while a thread has a free slot. */
function runTasks(waiting: Set<Task>, threads: ReadonlySet<Thread>, perWorker: number): void {
  for (const task of waiting) {
    const thread = findFreest(threads, perWorker);
    if (thread === undefined) return;
    waiting.delete(task);
    thread.run(task);
  }
}

function endTasks(tasks: Set<Task>, error: WorkerError): void {
  for (const task of tasks) task.end(error);
  tasks.clear();
}

function countTasks(threads: ReadonlySet<Thread>): number {
  return sum(threads, ({ busy }) => busy);
}

function sum(threads: ReadonlySet<Thread>, measure: (thread: Thread) => number): number {
  return [...threads].reduce((total, thread) => total + measure(thread), 0);
}

/** The ready thread with the fewest tasks, if one has a free slot. */
function findFreest(threads: ReadonlySet<Thread>, perWorker: number): Thread | undefined {
  let freest: Thread | undefined;
  for (const thread of threads) {
    if (!thread.ready || thread.busy >= perWorker) continue;
    if (freest === undefined || thread.busy < freest.busy) freest = thread;
  }
  return freest;
}

function openTask<Contract extends WorkerContract>(task: Task): OpenTask<Contract> {
  return {
    write: (value, moved) => task.send({ kind: "input", task: task.id, value }, moved),
    forget: (options) => task.forget(options),
    end: () => task.send({ kind: "inputEnd", task: task.id }),
    results: task.results,
  };
}

async function readOne(task: Task): Promise<unknown> {
  const results: unknown[] = [];
  for await (const result of task.results) results.push(result);
  if (results.length !== 1) throw new TypeError(`expected one result of a call, the worker gave ${results.length}`);
  return results[0];
}

function createDeferred() {
  let resolve = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<void>((...settle) => ([resolve, reject] = settle));
  // Calling ready() is optional, and a failure is no unhandled rejection then.
  promise.catch(() => undefined);
  return { promise, resolve: () => resolve(), reject: (error: Error) => reject(error) };
}
