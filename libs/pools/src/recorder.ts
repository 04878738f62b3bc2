import { priorities, type PoolStats, type PoolWork, type Priority } from "@voxbus/protocol";
import { RecentTimes } from "./recent-times.ts";
import { estimateWait } from "./estimate-wait.ts";

/**
 * The end of work. `shed`: it was refused, or given up while it waited. `ended`: a fence or its caller ended it, which is
 * neither a success nor a failure.
 */
export type Ending = "done" | "failed" | "timedOut" | "shed" | "ended";

/** One piece of work, from its submission to its end. */
export interface WorkRecord {
  /** Notes that the work was not started at once. */
  wait(): void;
  /** Counts the work as running from now on. */
  start(): void;
  /** Counts the running work as waiting again, because it lost its slot. */
  requeue(): void;
  /** Counts the end of the work. Only the first end counts. */
  end(ending: Ending): void;
}

/** The statistics of one pool of work: of slots, or of threads. */
export interface PoolRecorder {
  readonly name: string;
  /** Counts work that was asked for. It waits until it starts. */
  submit(priority: Priority): WorkRecord;
  /**
   * Estimates how long (ms) work submitted now would wait, from the times that slots were held lately, the age of the running
   * work, and the work of its priority or a higher one that waits. 0 if a slot is free for it.
   */
  waitMs(priority: Priority): number;
  /** Counts work that waits because of a rate limit. */
  limit(): void;
  /** Gives the numbers for the report. `busy` is the share since the last call, so only the report calls it. */
  stats(): PoolStats;
  /** Gives the numbers for the metrics: `busyMs` and `limited` count from the start. */
  read(): Omit<PoolStats, "busy"> & { readonly busyMs: number; readonly limited: number };
}

/** The size of a pool whose work is recorded. */
export interface RecorderOptions {
  readonly name: string;
  /** The slots, or the threads. */
  readonly slots: number | (() => number);
  /** The work that runs at the same time (`slots`), for estimates: a thread may do several pieces in turns. */
  readonly atOnce?: number;
  /** The time (ms) that the threads were busy, all together, from the start. Without it a slot is busy while work holds it. */
  readonly busyMs?: () => number;
}

/** The weight of the newest time in the mean that estimates use. */
const newest = 1 / 16;

/** Creates the statistics of a pool without work. */
export function createPoolRecorder({ name, slots, atOnce, busyMs }: RecorderOptions): PoolRecorder {
  const countSlots = () => (typeof slots === "number" ? slots : slots());
  const work = new Map(priorities.map((priority) => [priority, new PriorityWork(priority)] as const));
  const held = new HeldSlots();
  const readBusy = () => busyMs?.() ?? held.busyMs(performance.now());
  let limited = 0;
  let reported = { at: performance.now(), busyMs: readBusy() };
  const read = () => {
    const now = performance.now();
    return {
      name,
      slots: countSlots(),
      work: [...work.values()].map((of) => of.read(now)),
      busyMs: readBusy(),
      limited,
    };
  };
  return {
    name,
    submit: (priority) => new SubmittedWork(work.get(priority)!, held),
    waitMs(priority) {
      const ranks = priorities.slice(0, priorities.indexOf(priority) + 1);
      const ahead = ranks.reduce((sum, rank) => sum + work.get(rank)!.waiting, 0);
      return estimateWait({ slots: atOnce ?? countSlots(), ahead, now: performance.now(), ...held.measured() });
    },
    limit: () => void (limited += 1),
    read,
    stats() {
      const { busyMs, limited: _, ...numbers } = read();
      const now = performance.now();
      const most = numbers.slots * (now - reported.at);
      const busy = most > 0 ? Math.min(1, Math.max(0, (busyMs - reported.busyMs) / most)) : 0;
      reported = { at: now, busyMs };
      return { ...numbers, busy: Math.round(busy * 10_000) / 10_000 };
    },
  };
}

/** The numbers of one priority. */
class PriorityWork {
  readonly priority: Priority;
  submitted = 0;
  running = 0;
  peak = 0;
  waiting = 0;
  waited = 0;
  readonly ended = { done: 0, failed: 0, timedOut: 0, shed: 0, ended: 0 };
  readonly waitTimes = new RecentTimes();
  readonly workTimes = new RecentTimes();

  constructor(priority: Priority) {
    this.priority = priority;
  }

  read(now: number): PoolWork {
    const { priority, submitted, running, peak, waiting, waited } = this;
    const { done, failed, timedOut, shed } = this.ended;
    const times = { waitMs: this.waitTimes.summarize(now), workMs: this.workTimes.summarize(now) };
    return { priority, submitted, running, peak, waiting, waited, done, failed, timedOut, shed, ...times };
  }
}

/** The slots that work holds. */
class HeldSlots {
  /** When each running piece of work started. */
  readonly #running = new Map<SubmittedWork, number>();
  #meanMs = 0;
  #busyMs = 0;
  #countedAt = performance.now();

  take(work: SubmittedWork, now: number): void {
    this.busyMs(now);
    this.#running.set(work, now);
  }

  /** Frees the slot of work and gives the time that it was held. */
  free(work: SubmittedWork, now: number): number {
    this.busyMs(now);
    const ms = now - this.#running.get(work)!;
    this.#running.delete(work);
    this.#meanMs += (ms - this.#meanMs) * (this.#meanMs === 0 ? 1 : newest);
    return ms;
  }

  busyMs(now: number): number {
    this.#busyMs += this.#running.size * (now - this.#countedAt);
    this.#countedAt = now;
    return this.#busyMs;
  }

  measured(): { readonly startedAt: readonly number[]; readonly meanMs: number } {
    return { startedAt: [...this.#running.values()], meanMs: this.#meanMs };
  }
}

class SubmittedWork implements WorkRecord {
  readonly #of: PriorityWork;
  readonly #held: HeldSlots;
  readonly #submittedAt = performance.now();
  #state: "waiting" | "running" | "ended" = "waiting";
  #waited = false;

  constructor(of: PriorityWork, held: HeldSlots) {
    this.#of = of;
    this.#held = held;
    of.submitted += 1;
    of.waiting += 1;
  }

  wait(): void {
    this.#waited = true;
  }

  start(): void {
    if (this.#state !== "waiting") return;
    const now = performance.now();
    this.#state = "running";
    this.#of.waiting -= 1;
    this.#of.running += 1;
    this.#of.peak = Math.max(this.#of.peak, this.#of.running);
    if (this.#waited) this.#of.waited += 1;
    this.#of.waitTimes.add(now - this.#submittedAt, now);
    this.#held.take(this, now);
  }

  requeue(): void {
    if (this.#state !== "running") return;
    this.#state = "waiting";
    this.#of.waiting += 1;
    this.#of.running -= 1;
    this.#held.free(this, performance.now());
  }

  end(ending: Ending): void {
    if (this.#state === "ended") return;
    const now = performance.now();
    if (this.#state === "waiting") this.#of.waiting -= 1;
    else {
      this.#of.running -= 1;
      this.#of.workTimes.add(this.#held.free(this, now), now);
    }
    this.#state = "ended";
    this.#of.ended[ending] += 1;
  }
}
