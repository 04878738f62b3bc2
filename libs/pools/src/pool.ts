import type { PoolStats, Priority } from "@voxbus/protocol";
import { HeldPlace, type LateNotice } from "./held-place.ts";
import { PoolClosedError, PoolFullError } from "./pool-errors.ts";
import type { RateLimit } from "./rate-limit.ts";
import { createPoolRecorder, type PoolRecorder } from "./recorder.ts";
import { readStream } from "./read-stream.ts";
import { createWaitingJobs, type JobPlace } from "./waiting-jobs.ts";

/** A job of a pool. */
export type Job = Pick<JobPlace, "priority" | "device"> &
  Partial<Pick<JobPlace, "due" | "continues">> & {
    /** The longest time (ms) that the job waits for its slot; the pool's own without it. */
    readonly patienceMs?: number | undefined;
    readonly late?: LateNotice | undefined;
  };

/** The most jobs of each priority that wait. */
export type WaitingLimits = Readonly<Record<Priority, number>>;

/** The limits of a pool. */
export interface PoolOptions {
  readonly name: string;
  /** Jobs that run at the same time. */
  readonly slots: number;
  /** Jobs that may wait, by priority; 100 of high, 500 of normal, 1,000 of low. One more is refused. */
  readonly waiting?: WaitingLimits | undefined;
  /** The longest time (ms) that a job runs. Of a stream, the time that its reader takes does not count. */
  readonly timeoutMs: number;
  /** The longest time (ms) that a job waits for its slot (60 s). */
  readonly patienceMs?: number;
  /** The limit of jobs that start. Jobs above it wait. */
  readonly rate?: RateLimit | undefined;
}

/** Runs work with at most `slots` jobs at the same time. The order is that of `createWaitingJobs`. */
export interface Pool {
  /**
   * Runs a job, and gives the result of its work.
   * - Rejects with PoolFullError if too many jobs wait, or if the job waited too long, or would because of the rate.
   * - Rejects with the signal's reason if it aborts while the job waits. Aborting it later aborts the signal of the work;
   *   the slot is free when the work has settled, or after a second.
   * - Rejects with PoolTimeoutError if the work takes too long. Its signal is aborted, and its slot is free at once.
   */
  run<Result>(job: Job, work: (signal: AbortSignal) => Promise<Result>, signal?: AbortSignal): Promise<Result>;
  /** Runs a job whose results are read one by one, by the same rules. It holds its slot until the reader leaves its loop. */
  stream<Result>(
    job: Job,
    work: (signal: AbortSignal) => AsyncIterable<Result>,
    signal?: AbortSignal,
  ): AsyncGenerator<Result, void>;
  /** The number of further jobs of a priority that the pool takes, before it refuses one. */
  room(priority: Priority): number;
  /** Estimates how long (ms) a job submitted now would wait. */
  waitMs(priority: Priority): number;
  /** Gives the numbers of the report (`PoolRecorder.stats`). */
  stats(): PoolStats;
  readonly recorder: PoolRecorder;
  /** Ends every job with PoolClosedError, and refuses others with it. */
  close(): void;
}

/** The bounds of the queues of a pool, where nothing else is set. */
export const usualWaiting: WaitingLimits = { high: 100, normal: 500, low: 1000 };
const usualPatienceMs = 60_000;

/** Creates a pool without jobs. */
export function createPool(options: PoolOptions): Pool {
  const { name, slots, waiting: most = usualWaiting, timeoutMs, patienceMs = usualPatienceMs, rate } = options;
  const recorder = createPoolRecorder({ name, slots });
  const waiting = createWaitingJobs<HeldPlace>();
  const running = new Set<HeldPlace>();
  let isClosed = false;

  const waitForRate = createRateWait(rate, assign);

  function assign(): void {
    for (;;) {
      const next = waiting.peek();
      if (next === undefined) return waitForRate.cancel();
      if (running.size >= slots || waitForRate.isOver()) return;
      rate?.take();
      waiting.start(next);
      running.add(next);
      next.start();
    }
  }
  function leave(place: HeldPlace): void {
    if (running.delete(place)) waiting.end(place);
    else waiting.remove(place);
    assign();
  }
  function countAhead(priority: Priority): number {
    const ranks = { high: ["high"], normal: ["high", "normal"], low: ["high", "normal", "low"] } as const;
    return ranks[priority].reduce((sum, rank) => sum + waiting.count(rank), 0);
  }
  const rateWaitMs = (priority: Priority) => rate?.waitMs(countAhead(priority)) ?? 0;
  const waitMs = (priority: Priority) => Math.round(Math.max(recorder.waitMs(priority), rateWaitMs(priority)));

  /** Takes a job in, and resolves when it runs. */
  function enter(job: Job, signal?: AbortSignal): Promise<HeldPlace> {
    if (isClosed) return Promise.reject(new PoolClosedError(`the pool ${name} is closed`));
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const longestMs = job.patienceMs ?? patienceMs;
    const rateMs = rateWaitMs(job.priority);
    const estimateMs = job.late === undefined ? 0 : waitMs(job.priority);
    const record = recorder.submit(job.priority);
    const place = new HeldPlace({ name, job, signal, record, timeoutMs, patienceMs: longestMs, leave });
    if (rateMs > 0) recorder.limit();
    waiting.add(place);
    if (rateMs > longestMs)
      place.refuse(
        new PoolFullError("late", `the calls of the pool ${name} are used up for more than ${longestMs} ms`),
      );
    else assign();
    if (place.isWaiting && waiting.count(job.priority) > most[job.priority])
      place.refuse(new PoolFullError("full", `${most[job.priority]} jobs already wait for the pool ${name}`));
    place.wait(estimateMs);
    return place.started;
  }

  return {
    async run(job, work, signal) {
      const place = await enter(job, signal);
      return place.settle(() => work(place.signal));
    },
    async *stream(job, work, signal) {
      const place = await enter(job, signal);
      yield* readStream(place, () => work(place.signal));
    },
    room: (priority) => Math.max(0, slots - running.size) + Math.max(0, most[priority] - waiting.count(priority)),
    waitMs,
    stats: () => recorder.stats(),
    recorder,
    close() {
      isClosed = true;
      const error = new PoolClosedError(`the pool ${name} was closed`);
      for (const place of [...waiting.all(), ...running]) place.abort(error);
    },
  };
}

/** Waits for a rate limit. */
function createRateWait(rate: RateLimit | undefined, onAllowed: () => void) {
  let timer: NodeJS.Timeout | undefined;
  return {
    /** Returns true if no job may start, and calls `onAllowed` when one may. */
    isOver(): boolean {
      const waitMs = rate?.waitMs() ?? 0;
      if (waitMs === 0) return false;
      timer ??= setTimeout(() => {
        timer = undefined;
        onAllowed();
      }, waitMs);
      return true;
    },
    cancel(): void {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
