import { createAsyncQueue } from "./async-queue.ts";
import { WorkerError } from "./worker-error.ts";
import type { TaskMessage } from "./worker-messages.ts";

/** The thread that runs a task, as the task sees it. */
export interface TaskThread {
  send(message: TaskMessage, moved?: ArrayBuffer[]): void;
  terminate(): Promise<unknown>;
}

/** One task of a pool. It waits until a thread runs it. */
export interface Task {
  readonly id: number;
  /** The results in order; throws the error that ended the task early. */
  readonly results: AsyncIterable<unknown>;
  /** Sends a message to the task, or keeps it until the task runs. */
  send(message: TaskMessage, moved?: ArrayBuffer[]): void;
  /** Runs the task on a thread. */
  run(thread: TaskThread): void;
  /** Adds a result. */
  push(value: unknown): void;
  /** Ends the results, with an error if one is given. */
  end(error?: Error): void;
}

/** Creates a task that waits. */
export function createTask(options: {
  readonly id: number;
  readonly request: unknown;
  readonly signal: AbortSignal | undefined;
  /** Time that the thread has to stop an aborted task before it is terminated (ms). */
  readonly graceMs: number;
  /** Called when the task is aborted while it still waits. */
  readonly onAbandoned: (task: Task) => void;
}): Task {
  const { id, request, signal, graceMs, onAbandoned } = options;
  const results = createAsyncQueue<unknown>(() => abort(new WorkerError("closed", "the reader left before the end")));
  const backlog: TaskMessage[] = [];
  let thread: TaskThread | undefined;
  let grace: NodeJS.Timeout | undefined;

  function abort(reason: Error) {
    results.end(reason);
    signal?.removeEventListener("abort", onAbort);
    if (thread === undefined) return onAbandoned(task);
    thread.send({ kind: "abort", task: id });
    // The slot stays taken until the worker reports the end: code that never returns to its event loop hears no abort.
    grace ??= setTimeout(() => void thread?.terminate(), graceMs);
  }
  const onAbort = () => abort(toError(signal?.reason));
  signal?.addEventListener("abort", onAbort, { once: true });

  const task: Task = {
    id,
    results,
    send(message, moved) {
      if (thread) thread.send(message, moved);
      else backlog.push(message);
    },
    run(on) {
      thread = on;
      thread.send({ kind: "start", task: id, request });
      for (const message of backlog.splice(0)) thread.send(message);
    },
    push: (value) => results.push(value),
    end(error) {
      clearTimeout(grace);
      signal?.removeEventListener("abort", onAbort);
      results.end(error);
    },
  };
  return task;
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error("aborted", { cause: reason });
}
