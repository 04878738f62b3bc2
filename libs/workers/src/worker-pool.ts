import { Worker } from "node:worker_threads";
import { createQueue, type Queue } from "./queue.ts";
import type { TaskFailure, TaskMessage, TaskReply, WorkerContract } from "./worker-messages.ts";

/** Why the pool, rather than the task's own code, ended a task; stable, for decisions and counters. */
export type WorkerProblem = "full" | "died" | "not-started" | "closed";

/** The pool's own error. What a worker's code throws arrives as an Error with its name, message, stack and code. */
export class WorkerError extends Error {
  override readonly name = "WorkerError";
  readonly code: WorkerProblem;
  constructor(code: WorkerProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A task that takes more than its request. It holds its worker's slot until its results end. */
export interface OpenTask<Contract extends WorkerContract> {
  /** Sends a value to the task; ignored once the task has ended. `transfer` names buffers that are moved, not copied. */
  write(value: Contract["input"], transfer?: ArrayBuffer[]): void;
  /** No more values will come. */
  end(): void;
  /** The task's results, in order; throws what ended the task too early. Leaving the loop aborts the task. */
  readonly results: AsyncIterable<Contract["result"]>;
}

/** Worker threads that all do the same work, each `perWorker` tasks at a time. */
export interface WorkerPool<Contract extends WorkerContract> {
  /** Resolves when every worker is ready, rejects with a `WorkerError` when one cannot start. */
  ready(): Promise<void>;
  /** Runs a task and streams its results; an aborted signal throws its reason. */
  stream(request: Contract["request"], signal?: AbortSignal): AsyncIterable<Contract["result"]>;
  /** Runs a task of exactly one result. */
  call(request: Contract["request"], signal?: AbortSignal): Promise<Contract["result"]>;
  /** Runs a task on one worker that is fed while it runs. */
  open(request: Contract["request"], signal?: AbortSignal): OpenTask<Contract>;
  /** Tasks that run. */
  readonly busy: number;
  /** Tasks that wait for a free slot. */
  readonly waiting: number;
  /** Ends all tasks with a `WorkerError` and all workers. */
  close(): Promise<void>;
}

interface Task {
  readonly id: number;
  readonly request: unknown;
  readonly results: Queue<unknown>;
  readonly backlog: TaskMessage[];
  thread?: Thread;
  unlisten: () => void;
  grace?: NodeJS.Timeout;
}

interface Thread {
  readonly worker: Worker;
  readonly tasks: Map<number, Task>;
  ready: boolean;
  /** When it was asked for a sign of life that it has not given yet. */
  askedAt?: number | undefined;
  failure?: unknown;
}

const restartMs = 1000;
const watchMs = 1000;

/**
 * Starts `size` workers of the module `url`, which calls `serveWorker`. A worker that dies is replaced (after 1 s if it
 * never became ready) and its tasks end with `WorkerError` died. At most `maxWaiting` tasks (100) wait, one more is
 * refused with full. A worker that does not stop an aborted task within `graceMs` (5 s), or does not return to its event
 * loop for `hangMs` (10 s), counts as dead too.
 */
export function createWorkerPool<Contract extends WorkerContract>(options: {
  readonly url: URL;
  readonly size: number;
  readonly workerData: Contract["data"];
  readonly perWorker?: number;
  readonly maxWaiting?: number;
  readonly graceMs?: number;
  readonly hangMs?: number;
}): WorkerPool<Contract> {
  const { url, size, workerData, perWorker = 1, maxWaiting = 100, graceMs = 5000, hangMs = 10_000 } = options;
  const threads = new Set<Thread>();
  const queue: Task[] = [];
  const restarts = new Set<NodeJS.Timeout>();
  const started = createSignal();
  let lastId = 0;
  let closed = false;

  const endTask = (task: Task, error?: Error) => {
    clearTimeout(task.grace);
    task.unlisten();
    task.thread?.tasks.delete(task.id);
    task.results.end(error);
  };

  const assign = () => {
    while (queue.length > 0) {
      const free = [...threads].filter((thread) => thread.ready && thread.tasks.size < perWorker);
      const thread = free.sort((a, b) => a.tasks.size - b.tasks.size)[0];
      if (!thread) return;
      const task = queue.shift()!;
      task.thread = thread;
      thread.tasks.set(task.id, task);
      send(task, { kind: "start", task: task.id, request: task.request });
      for (const message of task.backlog.splice(0)) send(task, message);
    }
  };

  const send = (task: Task, message: TaskMessage, moved?: ArrayBuffer[]) => {
    if (task.thread) task.thread.worker.postMessage(message, moved);
    else task.backlog.push(message);
  };

  const receive = (thread: Thread, message: TaskReply) => {
    if (message.kind === "ready") {
      thread.ready = true;
      if ([...threads].filter((each) => each.ready).length === size) started.resolve();
    } else if (message.kind === "pong") {
      thread.askedAt = undefined;
      return;
    } else {
      const task = thread.tasks.get(message.task);
      if (message.kind === "result") return task?.results.push(message.value);
      if (task) endTask(task, message.kind === "failed" ? reviveFailure(message.error) : undefined);
    }
    assign();
  };

  const startThread = () => {
    const thread: Thread = { worker: new Worker(url, { workerData }), tasks: new Map(), ready: false };
    threads.add(thread);
    thread.worker.on("message", (message: TaskReply) => receive(thread, message));
    thread.worker.on("error", (error) => (thread.failure = error));
    thread.worker.on("exit", (code) => loseThread(thread, code));
  };

  const loseThread = (thread: Thread, code: number) => {
    threads.delete(thread);
    if (closed) return;
    const problem = thread.ready ? "died" : "not-started";
    const error = new WorkerError(problem, `a worker thread ${thread.ready ? "died" : "did not start"} (${code})`, {
      cause: thread.failure,
    });
    for (const task of thread.tasks.values()) endTask(task, error);
    if (thread.ready) return startThread();
    started.reject(error);
    if (threads.size === 0) for (const task of queue.splice(0)) endTask(task, error);
    const timer = setTimeout(() => (restarts.delete(timer), startThread()), restartMs);
    restarts.add(timer);
  };

  const abortTask = (task: Task, reason: Error) => {
    const { thread } = task;
    if (!thread) {
      const at = queue.indexOf(task);
      if (at >= 0) queue.splice(at, 1);
      return endTask(task, reason);
    }
    send(task, { kind: "abort", task: task.id });
    task.results.end(reason);
    task.unlisten();
    // The slot is free only when the worker says so: work that never returns to its event loop has not heard yet.
    task.grace ??= setTimeout(() => void thread.worker.terminate(), graceMs);
  };

  const addTask = (request: unknown, signal?: AbortSignal): Task => {
    if (closed) throw new WorkerError("closed", "the worker pool is closed");
    signal?.throwIfAborted();
    if (queue.length >= maxWaiting) throw new WorkerError("full", `${maxWaiting} tasks already wait for a worker`);
    const abort = () => abortTask(task, asError(signal?.reason));
    const task: Task = {
      id: ++lastId,
      request,
      results: createQueue(() => abortTask(task, new WorkerError("closed", "nobody reads the results"))),
      backlog: [],
      unlisten: () => signal?.removeEventListener("abort", abort),
    };
    signal?.addEventListener("abort", abort, { once: true });
    queue.push(task);
    assign();
    return task;
  };

  let watchedAt = performance.now();
  const watch = setInterval(
    () => {
      const now = performance.now();
      // If this timer is late, so is the reading of pongs that may be here already: judge at the next one.
      const late = now - watchedAt > 2 * watchMs;
      watchedAt = now;
      for (const thread of threads) {
        if (!thread.ready) continue;
        if (thread.askedAt === undefined) {
          thread.askedAt = now;
          thread.worker.postMessage({ kind: "ping" } satisfies TaskMessage, []);
        } else if (!late && now - thread.askedAt > hangMs) void thread.worker.terminate();
      }
    },
    Math.min(watchMs, hangMs),
  );
  watch.unref();

  for (let i = 0; i < size; i++) startThread();

  return {
    ready: () => started.promise,
    open: (request, signal) => {
      const task = addTask(request, signal);
      return {
        write: (value, moved) => send(task, { kind: "input", task: task.id, value }, moved),
        end: () => send(task, { kind: "inputEnd", task: task.id }),
        results: task.results,
      };
    },
    stream: (request, signal) => addTask(request, signal).results,
    call: async (request, signal) => {
      const results: unknown[] = [];
      for await (const result of addTask(request, signal).results) results.push(result);
      if (results.length !== 1) throw new TypeError(`a call is one result, the worker gave ${results.length}`);
      return results[0];
    },
    get busy() {
      return [...threads].reduce((sum, { tasks }) => sum + tasks.size, 0);
    },
    get waiting() {
      return queue.length;
    },
    close: async () => {
      closed = true;
      clearInterval(watch);
      const error = new WorkerError("closed", "the worker pool was closed");
      for (const timer of restarts) clearTimeout(timer);
      for (const task of [...queue.splice(0), ...[...threads].flatMap((thread) => [...thread.tasks.values()])]) {
        endTask(task, error);
      }
      started.reject(error);
      await Promise.all([...threads].map((thread) => thread.worker.terminate()));
    },
  };
}

function createSignal() {
  let resolve = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<void>((...settle) => ([resolve, reject] = settle));
  // Whoever calls ready() hears of a failure; nobody has to.
  promise.catch(() => undefined);
  return { promise, resolve: () => resolve(), reject: (error: Error) => reject(error) };
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error("aborted", { cause: reason });
}

function reviveFailure({ name, message, stack, code }: TaskFailure): Error {
  return Object.assign(new Error(message), { name, ...(stack && { stack }), ...(code !== undefined && { code }) });
}
