import { Worker } from "node:worker_threads";
import { createBatch } from "./batch.ts";
import { createProgressMemory, openProgress, type Progress } from "./progress.ts";
import type { Task, TaskThread } from "./task.ts";
import { createThreadTime, type ThreadTime } from "./thread-time.ts";
import { WorkerError } from "./worker-error.ts";
import type { TaskFailure, TaskMessage, TaskReply, ThreadData } from "./worker-messages.ts";

/** One worker thread and the tasks it runs. */
export interface Thread extends TaskThread {
  /** True once the worker has called `serveWorker`. */
  readonly ready: boolean;
  /** By `performance.now()`. */
  readonly startedAt: number;
  /** The number of tasks it runs. */
  readonly busy: number;
  /** The time (ms) in which its event loop was not idle, from its start. */
  busyMs(): number;
  /** Runs a task. */
  run(task: Task): void;
  /** Asks for a sign of life. Terminates the thread if it made no step for `hangMs` of its own time. */
  probe(options: { readonly elapsedMs: number; readonly hangMs: number }): void;
  /** Ends its tasks with an error and terminates it. */
  close(error: WorkerError): Promise<unknown>;
}

interface ThreadOptions {
  readonly url: URL;
  readonly workerData: unknown;
  /** Called when the thread is ready, and whenever one of its tasks has ended. */
  readonly onFree: () => void;
  /**
   * Called after the thread ended. The error's code is `died`, or `not-started` if it was never ready. `tasks` are those that
   * wait for another thread now.
   */
  readonly onExit: (thread: Thread, error: WorkerError, tasks: readonly Task[]) => void;
}

/** Starts a worker thread. */
export function startThread(options: ThreadOptions): Thread {
  const memory = createProgressMemory();
  const data: ThreadData = { data: options.workerData, memory };
  const progress = openProgress(memory);
  const worker = new Worker(options.url, { workerData: data });
  const tasks = new Map<number, Task>();
  let time: ThreadTime | undefined;
  const judge = createHangJudge(progress);
  let failure: unknown;
  let busyMs = 0;

  const messages = createBatch<TaskMessage>((batch, moved) => worker.postMessage(batch, moved), refuse);

  /** Ends the task of a message that cannot be copied to the thread. */
  function refuse(message: TaskMessage, error: unknown) {
    if (message.kind === "ping") return;
    endTask(message.task, toError(error));
    messages.send({ kind: "abort", task: message.task });
  }
  function endTask(id: number, error?: Error) {
    tasks.get(id)?.end(error);
    tasks.delete(id);
    options.onFree();
  }
  function take(reply: TaskReply) {
    if (reply.kind === "result") tasks.get(reply.task)?.push(reply.value);
    else if (reply.kind === "ready") {
      time = createThreadTime(reply.id);
      options.onFree();
    } else endTask(reply.task, reply.kind === "failed" ? reviveFailure(reply.error) : undefined);
  }

  worker.on("message", (replies: readonly TaskReply[]) => {
    for (const reply of replies) take(reply);
  });
  worker.on("error", (error) => (failure = error));
  worker.on("exit", (code) => {
    const isReady = time !== undefined;
    const message = `a worker thread ${isReady ? "died" : "did not start"}, exit code ${code}`;
    const error = new WorkerError(isReady ? "died" : "not-started", message, { cause: failure });
    const lost = [...tasks.values()].filter((task) => task.lose(error, task.id === progress.task));
    tasks.clear();
    options.onExit(thread, error, lost);
  });

  const thread: Thread = {
    startedAt: performance.now(),
    get ready() {
      return time !== undefined;
    },
    get busy() {
      return tasks.size;
    },
    // A thread that has ended measures nothing any more.
    busyMs: () => (busyMs = Math.max(busyMs, worker.performance.eventLoopUtilization().active)),
    send: (message, moved) => messages.send(message, moved),
    run(task) {
      tasks.set(task.id, task);
      task.run(thread);
    },
    probe({ elapsedMs, hangMs }) {
      if (time === undefined) return;
      const quietMs = judge(time.take(elapsedMs));
      if (quietMs > hangMs) void worker.terminate();
      else if (quietMs === 0) thread.send({ kind: "ping" });
    },
    close(error) {
      for (const task of tasks.values()) task.end(error);
      tasks.clear();
      return worker.terminate();
    },
  };
  return thread;
}

/** Creates a function that takes a thread's own time since the last call, and gives its time without a step, ms. */
function createHangJudge(progress: Progress): (ownMs: number) => number {
  let steps = -1;
  let quietMs = 0;
  return (ownMs) => {
    quietMs = progress.steps === steps ? quietMs + ownMs : 0;
    steps = progress.steps;
    return quietMs;
  };
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function reviveFailure({ name, message, stack, code }: TaskFailure): Error {
  return Object.assign(new Error(message), { name, ...(stack && { stack }), ...(code !== undefined && { code }) });
}
