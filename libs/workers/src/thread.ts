import { Worker } from "node:worker_threads";
import type { Task, TaskThread } from "./task.ts";
import { WorkerError } from "./worker-error.ts";
import type { TaskFailure, TaskMessage, TaskReply } from "./worker-messages.ts";

/** One worker thread and the tasks it runs. */
export interface Thread extends TaskThread {
  /** True once the worker has called `serveWorker`. */
  readonly ready: boolean;
  /** By `performance.now()`. */
  readonly startedAt: number;
  /** The number of tasks it runs. */
  readonly busy: number;
  /** Runs a task. */
  run(task: Task): void;
  /** Asks for a sign of life, or terminates the thread if the last one is overdue. */
  probe(options: { readonly now: number; readonly mayKill: boolean; readonly hangMs: number }): void;
  /** Ends its tasks with an error and terminates it. */
  close(error: WorkerError): Promise<unknown>;
}

/** Starts a worker thread. */
export function startThread(options: {
  readonly url: URL;
  readonly workerData: unknown;
  /** Called when the thread is ready, and whenever one of its tasks has ended. */
  readonly onFree: () => void;
  /** Called after the thread ended and its tasks with it. The error's code is `died`, or `not-started` if it was never ready. */
  readonly onExit: (thread: Thread, error: WorkerError) => void;
}): Thread {
  const worker = new Worker(options.url, { workerData: options.workerData });
  const tasks = new Map<number, Task>();
  let ready = false;
  /** The time of a ping without a pong so far. */
  let askedAt: number | undefined;
  let failure: unknown;

  function endTasks(error: WorkerError) {
    for (const task of tasks.values()) task.end(error);
    tasks.clear();
  }

  worker.on("message", (reply: TaskReply) => {
    if (reply.kind === "pong") askedAt = undefined;
    else if (reply.kind === "result") tasks.get(reply.task)?.push(reply.value);
    else {
      if (reply.kind === "ready") ready = true;
      else {
        tasks.get(reply.task)?.end(reply.kind === "failed" ? reviveFailure(reply.error) : undefined);
        tasks.delete(reply.task);
      }
      options.onFree();
    }
  });
  worker.on("error", (error) => (failure = error));
  worker.on("exit", (code) => {
    const message = `a worker thread ${ready ? "died" : "did not start"}, exit code ${code}`;
    const error = new WorkerError(ready ? "died" : "not-started", message, { cause: failure });
    endTasks(error);
    options.onExit(thread, error);
  });

  const thread: Thread = {
    startedAt: performance.now(),
    get ready() {
      return ready;
    },
    get busy() {
      return tasks.size;
    },
    send: (message: TaskMessage, moved) => worker.postMessage(message, moved),
    terminate: () => worker.terminate(),
    run(task) {
      tasks.set(task.id, task);
      task.run(thread);
    },
    probe({ now, mayKill, hangMs }) {
      if (!ready) return;
      if (askedAt === undefined) {
        askedAt = now;
        thread.send({ kind: "ping" });
      } else if (mayKill && now - askedAt > hangMs) void worker.terminate();
    },
    close(error) {
      endTasks(error);
      return worker.terminate();
    },
  };
  return thread;
}

function reviveFailure({ name, message, stack, code }: TaskFailure): Error {
  return Object.assign(new Error(message), { name, ...(stack && { stack }), ...(code !== undefined && { code }) });
}
