import { parentPort, workerData } from "node:worker_threads";
import { createBatch } from "./batch.ts";
import { readClock } from "./clock.ts";
import { openProgress } from "./progress.ts";
import { createSteps, type Steps } from "./steps.ts";
import { createTaskInput, type TaskInput } from "./task-input.ts";
import { readThreadId } from "./thread-time.ts";
import type { TaskFailure, TaskMessage, TaskReply, ThreadData, WorkerContract } from "./worker-messages.ts";

/** The signal, the input and the turns of one task. */
export interface WorkerTask<Input> {
  /** Aborted when the caller gave the task up. Its next step then throws the reason. */
  readonly signal: AbortSignal;
  /**
   * The values that the caller writes into the task, until it ends its input. Reading one is a step of the task. Without a
   * deadline of its own, a task whose input has ended goes before those that still go on.
   */
  readonly input: AsyncIterable<Input>;
  /** The number of first results that the caller has already, from a thread that was lost. */
  readonly repeated: number;
  /** True once the caller has ended the input, whether or not all of it was read. */
  readonly ended: boolean;
  /**
   * Waits until the task's next step is the one of this thread that is due first, at most 2 s early, or 10 s if there is
   * nothing else to do. `due` is a time of `readClock`, and holds for reading the input from now on. Throws the reason of an
   * abort.
   */
  takeStep(due: number): Promise<void>;
}

/**
 * Does one task and yields its results. The task computes in steps, between which the thread does others' steps and returns to
 * its event loop. Each step, and each result, is a sign of progress.
 */
export type WorkerHandler<Contract extends WorkerContract> = (
  request: Contract["request"],
  task: WorkerTask<Contract["input"]>,
) => AsyncIterable<Contract["result"]> | Iterable<Contract["result"]>;

/** Options of a worker. */
export interface WorkerOptions<Contract extends WorkerContract> {
  /** Names the buffers of a result that are moved, not copied. */
  readonly transfer?: (result: Contract["result"]) => ArrayBuffer[];
  /** True if somebody waits for the answer to this value of the input. */
  readonly isUrgent?: (input: Contract["input"]) => boolean;
}

/** A task of this thread, as the messages to it see it. */
interface Job<Input> {
  readonly id: number;
  readonly input: Pick<TaskInput<Input>, "push" | "end">;
  abort(reason: unknown): void;
}

/**
 * Serves a pool from this worker thread. `start` gets the pool's `workerData`, prepares what all tasks share, and returns
 * the handler. A result must not change after it was yielded: it leaves at the end of the event-loop turn, the first one of
 * a task at once.
 */
export async function serveWorker<Contract extends WorkerContract>(
  start: (data: Contract["data"]) => WorkerHandler<Contract> | Promise<WorkerHandler<Contract>>,
  { transfer, isUrgent }: WorkerOptions<Contract> = {},
): Promise<void> {
  const port = parentPort;
  if (!port) throw new Error("serveWorker was called on the main thread: call it in a worker thread");
  const { data, memory } = workerData as ThreadData<Contract["data"]>;
  const progress = openProgress(memory);
  const steps = createSteps<number>((id) => progress.step(id ?? 0));
  const jobs = new Map<number, Job<Contract["input"]>>();
  const replies = createBatch<TaskReply>(
    (messages, moved) => port.postMessage(messages, moved),
    (message, error) => message.kind === "result" && jobs.get(message.task)?.abort(error),
  );
  process.once("exit", () => replies.flush());
  const handle = await start(data);

  async function run({ task: id, request, repeated }: TaskMessage & { readonly kind: "start" }): Promise<void> {
    const { job, task } = createJob<Contract["input"]>({ id, repeated }, steps);
    jobs.set(id, job);
    try {
      await task.rest();
      let isFirst = true;
      for await (const value of handle(request, task)) {
        progress.step(id);
        replies.send({ kind: "result", task: id, value }, transfer?.(value));
        if (isFirst) replies.flush();
        isFirst = false;
        if (steps.tired) await task.rest();
      }
      task.signal.throwIfAborted();
      replies.send({ kind: "done", task: id });
    } catch (error) {
      replies.send({ kind: "failed", task: id, error: describeFailure(error) });
    } finally {
      jobs.delete(id);
    }
  }
  function take(message: TaskMessage): void {
    if (message.kind === "ping") return;
    if (message.kind === "start") return void run(message);
    const job = jobs.get(message.task);
    if (message.kind === "input") job?.input.push(message.value, isUrgent?.(message.value) ?? false);
    else if (message.kind === "inputEnd") job?.input.end();
    else job?.abort(new Error("the caller gave the task up"));
  }

  port.on("message", (messages: readonly TaskMessage[]) => {
    progress.step(0);
    for (const message of messages) take(message);
  });
  replies.send({ kind: "ready", id: readThreadId() });
}

/** Creates a task and the job that its messages reach. */
function createJob<Input>({ id, repeated }: { readonly id: number; readonly repeated: number }, steps: Steps<number>) {
  const abort = new AbortController();
  const { signal } = abort;
  let ownDue: number | undefined;
  const choose = (due: number) => input.endedAt ?? ownDue ?? due;
  const wait = async (due: number) => {
    await steps.wait(id, due);
    signal.throwIfAborted();
  };
  const input: TaskInput<Input> = createTaskInput<Input>({
    wait: (due) => wait(choose(due)),
    hurry: (due) => steps.hurry(id, due),
  });
  const job: Job<Input> = {
    id,
    input,
    abort(reason) {
      abort.abort(reason);
      input.discard();
      steps.hurry(id, -Infinity);
    },
  };
  const task = {
    signal,
    input,
    repeated,
    get ended() {
      return input.endedAt !== undefined;
    },
    takeStep(due: number) {
      ownDue = due;
      return wait(due);
    },
    /** Returns to the event loop. */
    rest: () => wait(choose(readClock())),
  };
  return { job, task };
}

function describeFailure(error: unknown): TaskFailure {
  return error instanceof Error
    ? { name: error.name, message: error.message, stack: error.stack, code: (error as { code?: unknown }).code }
    : { name: "Error", message: String(error) };
}
