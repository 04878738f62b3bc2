import type { Priority } from "@voxbus/protocol";
import { PoolFullError, PoolTimeoutError } from "./pool-errors.ts";
import type { Ending, WorkRecord } from "./recorder.ts";
import type { JobPlace } from "./waiting-jobs.ts";

/** A person who must be told if a job begins late. */
export interface LateNotice {
  /** The time (`performance.now()`, ms) after which the job is late. */
  readonly at: number;
  /** Called once: soon if the job will begin later than that by the estimate, or else at that time if it waits still. */
  readonly tell: () => void;
}

/** The time (ms) in which aborted work should settle. Then its slot is free in any case. */
const settleMs = 1000;
/** The shortest time (ms) between two looks at the time that work has taken. */
const lookMs = 100;

/** The job, the limits and the pool of a place. */
interface PlaceOptions {
  readonly name: string;
  readonly job: Partial<JobPlace> & Pick<JobPlace, "priority" | "device"> & { readonly late?: LateNotice | undefined };
  readonly signal: AbortSignal | undefined;
  readonly record: WorkRecord;
  readonly timeoutMs: number;
  readonly patienceMs: number;
  /** Called once when the place is free: the job left the queue, or its slot. */
  readonly leave: (place: HeldPlace) => void;
}

/** The place of one job in its pool: first among those that wait, then in a slot. */
export class HeldPlace implements JobPlace {
  readonly priority: Priority;
  readonly device: string;
  readonly due: number;
  readonly continues: boolean;
  /** Resolves when the job has its slot. Rejects if it will not have one. */
  readonly started: Promise<this>;
  readonly #options: PlaceOptions;
  readonly #abort = new AbortController();
  readonly #onAbort = () => this.abort(this.#options.signal!.reason);
  #resolve!: (place: this) => void;
  #reject!: (reason: unknown) => void;
  /** Called when the slot is lost before the work has settled. */
  #lose: ((reason: unknown) => void) | undefined;
  #state: "waiting" | "running" | "free" = "waiting";
  #timer: NodeJS.Timeout | undefined;
  #notice: NodeJS.Timeout | undefined;
  /** The time (ms) that the work has taken, without the times of its reader. */
  #worked = 0;
  #workedSince: number | undefined;

  constructor(options: PlaceOptions) {
    const { job, signal } = options;
    this.#options = options;
    this.priority = job.priority;
    this.device = job.device;
    this.due = job.due ?? performance.now();
    this.continues = job.continues ?? false;
    this.started = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Aborted when the job is given up or takes too long. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get isWaiting(): boolean {
    return this.#state === "waiting";
  }

  /** Notes that the job was not started at once. By the estimate it waits for `waitMs`. */
  wait(waitMs: number): void {
    if (!this.isWaiting) return;
    this.#options.record.wait();
    const { name, patienceMs, job } = this.#options;
    const late = () => this.refuse(new PoolFullError("late", `the job waited ${patienceMs} ms for the pool ${name}`));
    this.#timer = setTimeout(late, patienceMs);
    if (job.late === undefined) return;
    const leftMs = job.late.at - performance.now();
    this.#notice = setTimeout(job.late.tell, waitMs > leftMs ? 0 : leftMs);
  }

  start(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#notice);
    this.#state = "running";
    this.#options.record.start();
    this.#workedSince = performance.now();
    this.#watch(this.#options.timeoutMs);
    this.#resolve(this);
  }

  /** Ends the wait of a job that is not wanted or cannot be done. */
  refuse(error: PoolFullError): void {
    this.#free("shed");
    this.#reject(error);
  }

  /** Aborts the job. A waiting one leaves at once. */
  abort(reason: unknown): void {
    if (this.#state === "free" || this.signal.aborted) return;
    if (this.isWaiting) {
      this.#free("ended");
      return this.#reject(reason);
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#giveUp("ended", reason), settleMs);
    this.#abort.abort(reason);
  }

  /** Frees the slot, as the work has settled. */
  leave(ending: "done" | "failed" | "ended"): void {
    this.#free(this.signal.aborted ? "ended" : ending);
  }

  /** Waits for the work, or for the loss of its slot. */
  settle<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.until(work).then(
      (result) => {
        this.leave("done");
        return result;
      },
      (error: unknown) => {
        this.leave("failed");
        throw error;
      },
    );
  }

  /** Waits for a step of the work. Rejects if the slot is lost before; the timeout counts meanwhile. */
  until<Result>(step: () => Promise<Result>): Promise<Result> {
    this.#workedSince ??= performance.now();
    return new Promise<Result>((resolve, reject) => {
      this.#lose = reject;
      if (this.#state === "free") return reject(this.signal.reason as Error);
      step().then(resolve, reject);
    }).finally(() => {
      this.#lose = undefined;
      this.#worked += performance.now() - (this.#workedSince ?? performance.now());
      this.#workedSince = undefined;
    });
  }

  #watch(ms: number): void {
    this.#timer = setTimeout(() => {
      const { name, timeoutMs } = this.#options;
      const now = performance.now();
      const leftMs = timeoutMs - this.#worked - (now - (this.#workedSince ?? now));
      // Timers may fire a millisecond early.
      if (leftMs > 1) return this.#watch(this.#workedSince === undefined ? Math.max(leftMs, lookMs) : leftMs);
      this.#giveUp("timedOut", new PoolTimeoutError(`the job ran for over ${timeoutMs} ms in the pool ${name}`));
    }, ms);
  }

  /** Frees the slot although the work has not settled. */
  #giveUp(ending: Ending, reason: unknown): void {
    const lose = this.#lose;
    this.#free(ending);
    lose?.(reason);
    this.#abort.abort(reason);
  }

  #free(ending: Ending): void {
    if (this.#state === "free") return;
    this.#state = "free";
    clearTimeout(this.#timer);
    clearTimeout(this.#notice);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#options.record.end(ending);
    this.#options.leave(this);
  }
}
