import { parentPort, workerData } from "node:worker_threads";
import { createAsyncQueue, type AsyncQueue } from "./async-queue.ts";
import { openProgress } from "./progress.ts";
import { readThreadId } from "./thread-time.ts";
import type { TaskFailure, TaskMessage, TaskReply, ThreadData, WorkerContract } from "./worker-messages.ts";

/** The signal and the input of one task. */
export interface WorkerTask<Input> {
  /** Aborted when the caller gave the task up. Only code that returns to the event loop notices. */
  readonly signal: AbortSignal;
  /** The values that the caller writes into the task, until it ends its input. */
  readonly input: AsyncIterable<Input>;
}

/** Does one task and yields its results. Reading an input, and yielding a result, are signs of progress. */
export type WorkerHandler<Contract extends WorkerContract> = (
  request: Contract["request"],
  task: WorkerTask<Contract["input"]>,
) => AsyncIterable<Contract["result"]> | Iterable<Contract["result"]>;

/**
 * Serves a pool from this worker thread. `start` gets the pool's `workerData`, prepares what all tasks share, and returns
 * the handler. `transfer` names the buffers of a result that are moved, not copied.
 */
export async function serveWorker<Contract extends WorkerContract>(
  start: (data: Contract["data"]) => WorkerHandler<Contract> | Promise<WorkerHandler<Contract>>,
  transfer?: (result: Contract["result"]) => ArrayBuffer[],
): Promise<void> {
  const port = parentPort;
  if (!port) throw new Error("serveWorker was called on the main thread: call it in a worker thread");
  const { data, memory } = workerData as ThreadData<Contract["data"]>;
  const progress = openProgress(memory);
  const reply = (message: TaskReply, moved?: ArrayBuffer[]) => port.postMessage(message, moved);
  const tasks = new Map<number, { abort: AbortController; input: AsyncQueue<Contract["input"]> }>();
  const handle = await start(data);

  const runTask = async (task: number, request: Contract["request"]): Promise<void> => {
    const abort = new AbortController();
    const input = createAsyncQueue<Contract["input"]>({ onRead: () => progress.step(task) });
    tasks.set(task, { abort, input });
    progress.step(task);
    try {
      for await (const value of handle(request, { signal: abort.signal, input })) {
        progress.step(task);
        if (abort.signal.aborted) break;
        reply({ kind: "result", task, value }, transfer?.(value));
      }
      reply({ kind: "done", task });
    } catch (error) {
      reply({ kind: "failed", task, error: describeFailure(error) });
    } finally {
      tasks.delete(task);
    }
  };

  port.on("message", (message: TaskMessage) => {
    progress.step(0);
    if (message.kind === "ping") return;
    if (message.kind === "start") {
      void runTask(message.task, message.request);
      return;
    }
    const known = tasks.get(message.task);
    if (!known) return;
    if (message.kind === "input") known.input.push(message.value);
    else known.input.end();
    if (message.kind === "abort") known.abort.abort();
  });
  reply({ kind: "ready", id: readThreadId() });
}

function describeFailure(error: unknown): TaskFailure {
  return error instanceof Error
    ? { name: error.name, message: error.message, stack: error.stack, code: (error as { code?: unknown }).code }
    : { name: "Error", message: String(error) };
}
