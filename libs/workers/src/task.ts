import type { Ending, WorkRecord } from "@voxbus/pools";
import { createAsyncQueue } from "./async-queue.ts";
import { WorkerError } from "./worker-error.ts";
import type { TaskMessage } from "./worker-messages.ts";

/** The thread that runs a task, as the task sees it. */
export interface TaskThread {
  send(message: TaskMessage, moved?: readonly ArrayBuffer[]): void;
}

/**
 * The fate of a task whose thread is lost. `end`: it ends with `died`. `repeat`: it runs again on another thread, and gives
 * all of its results again. `resume`: it runs again, and gives the results after those that it gave already. A task runs again
 * once if it was being computed, because it may be the cause, and three times otherwise.
 */
export type OnLoss = "end" | "repeat" | "resume";

const mostBlame = 4;

/** One task of a pool. It waits until a thread runs it. */
export interface Task {
  readonly id: number;
  /** The results in order; throws the error that ended the task early. */
  readonly results: AsyncIterable<unknown>;
  /** Sends a message to the task, or keeps it until the task runs. */
  send(message: TaskMessage, moved?: readonly ArrayBuffer[]): void;
  /** Discards the first of the messages that are kept for the next thread. It begins behind them, with the result `results`. */
  forget(options: { readonly inputs: number; readonly results: number }): void;
  /** Runs the task on a thread. */
  run(thread: TaskThread): void;
  /** Adds a result. */
  push(value: unknown): void;
  /** Ends the results, with an error if one is given. */
  end(error?: Error): void;
  /** Takes the task from its lost thread. Returns true if it waits for another one; otherwise it ends with the error. */
  lose(error: Error, isComputed: boolean): boolean;
}

interface TaskOptions {
  readonly id: number;
  readonly request: unknown;
  readonly signal: AbortSignal | undefined;
  readonly onLoss: OnLoss;
  /** The statistics of the task. */
  readonly record: WorkRecord;
  /** Called when the task is aborted while it still waits. */
  readonly onAbandoned: (task: Task) => void;
}

/** Creates a task that waits. */
export function createTask(options: TaskOptions): Task {
  const { id, request, signal, onLoss, record, onAbandoned } = options;
  const results = createAsyncQueue<unknown>(() => abort(new WorkerError("closed", "the reader left before the end")));
  /** The messages for the next thread that runs the task. */
  let kept: TaskMessage[] = [];
  const keeps = onLoss !== "end";
  let thread: TaskThread | undefined;
  let isOver = false;
  let blame = 0;
  let given = 0;
  let skipped = 0;
  /** The inputs that are not kept any more, and the result that is the first one of those behind them. */
  let forgotten = { inputs: 0, results: 0 };

  function end(error?: Error) {
    isOver = true;
    kept = [];
    signal?.removeEventListener("abort", onAbort);
    results.end(error);
  }
  function abort(reason: Error) {
    end(reason);
    if (thread === undefined) {
      record.end("ended");
      return onAbandoned(task);
    }
    // The slot stays taken until the worker reports the end: code that never returns to its event loop hears no abort.
    thread.send({ kind: "abort", task: id });
  }
  const onAbort = () => abort(toError(signal?.reason));
  signal?.addEventListener("abort", onAbort, { once: true });

  const task: Task = {
    id,
    results,
    send(message, moved) {
      if (isOver) return;
      if (keeps || !thread) kept.push(message);
      thread?.send(message, keeps ? undefined : moved);
    },
    forget(next) {
      if (keeps && !isOver) kept.splice(0, next.inputs - forgotten.inputs);
      forgotten = next;
    },
    run(on) {
      thread = on;
      record.start();
      skipped = onLoss === "resume" ? given - forgotten.results : 0;
      thread.send({ kind: "start", task: id, request, repeated: skipped });
      for (const message of kept) thread.send(message);
      if (!keeps) kept = [];
    },
    push(value) {
      if (skipped > 0) skipped -= 1;
      else {
        given += 1;
        results.push(value);
      }
    },
    end(error) {
      record.end(isOver ? "ended" : nameEnding(error));
      end(error);
    },
    lose(error, isComputed) {
      thread = undefined;
      blame += isComputed ? 2 : 1;
      if (!isOver && keeps && blame < mostBlame) {
        record.requeue();
        return true;
      }
      task.end(error);
      return false;
    },
  };
  return task;
}

function nameEnding(error: Error | undefined): Ending {
  if (error === undefined) return "done";
  return error instanceof WorkerError && error.code === "closed" ? "ended" : "failed";
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error("aborted", { cause: reason });
}
