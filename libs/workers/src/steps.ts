import { readClock } from "./clock.ts";
import { createDeadlines } from "./deadlines.ts";

/**
 * The order of a thread's computing. Its jobs compute in steps, one at a time, and the step that is due first is next. Times
 * are those of `readClock`, ms.
 */
export interface Steps<Job> {
  /**
   * Resolves when the job may take its next step, which has to be done by `due`. The step lasts until the job waits, for its
   * next step or for anything else. A job waits for one step at a time.
   */
  wait(job: Job, due: number): Promise<void>;
  /** Gives another deadline to the step for which a job waits. `-Infinity`: before all others. */
  hurry(job: Job, due: number): void;
  /** True if the thread has to return to its event loop before it goes on. */
  readonly tired: boolean;
}

/** Limits of the steps of a thread, ms. */
export const stepLimits = {
  /** After this time, and the rest of a step, the thread returns to its event loop, where it hears of aborts and new work. */
  slice: 4,
  /** No step is taken earlier than this before it is due. */
  ahead: 2000,
  /**
   * While there is nothing else to do, steps are taken this early. After each slice of them the thread rests as long as one slice
   * for each job that waits: of much work, less is done for listeners who may leave.
   */
  idleAhead: 10_000,
  /** With all steps taken this early, the thread sleeps at least as long as this, to take several steps in a row then. */
  sleep: 300,
} as const;

/** Creates the steps of a thread. `onStep` gets the job at each of its steps, and undefined when the thread waits. */
export function createSteps<Job>(onStep: (job: Job | undefined) => void): Steps<Job> {
  const waiting = createDeadlines<Job>();
  const starts = new Map<Job, () => void>();
  /** The end of the present slice, NaN between slices. */
  let sliceEnd = NaN;
  /** The time of the next slice, Infinity while no job waits. */
  let wakesAt = Infinity;
  let cancelWake = () => {};

  function startSlice(): void {
    sliceEnd = readClock() + stepLimits.slice;
    takeStep();
  }
  function takeStep(): void {
    const now = readClock();
    if (now >= sliceEnd || !(waiting.first! - now <= stepLimits.idleAhead)) {
      sliceEnd = NaN;
      onStep(undefined);
      return planSlice(now);
    }
    const job = waiting.take()!;
    const start = starts.get(job)!;
    starts.delete(job);
    onStep(job);
    start();
    // Everything that the step sets going is done first, up to its next wait.
    queueMicrotask(() => process.nextTick(takeStep));
  }
  function planSlice(now: number): void {
    const { first } = waiting;
    wakesAt = first === undefined ? Infinity : now + pauseBefore(first - now, starts.size);
    if (wakesAt === Infinity) return;
    if (wakesAt <= now) {
      const wake = setImmediate(startSlice);
      cancelWake = () => clearImmediate(wake);
    } else {
      const wake = setTimeout(startSlice, wakesAt - now);
      cancelWake = () => clearTimeout(wake);
    }
  }
  function hurry(job: Job, due: number): void {
    waiting.add(job, due);
    const now = readClock();
    if (!Number.isNaN(sliceEnd) || now + pauseBefore(due - now, starts.size) >= wakesAt) return;
    cancelWake();
    planSlice(now);
  }

  return {
    wait(job, due) {
      return new Promise((resolve) => {
        starts.set(job, resolve);
        hurry(job, due);
      });
    },
    hurry(job, due) {
      if (starts.has(job)) hurry(job, due);
    },
    get tired() {
      return !(readClock() < sliceEnd);
    },
  };
}

/** Tells how long to wait before a slice whose first step is due in `aheadMs`, for one of `jobs` jobs. */
function pauseBefore(aheadMs: number, jobs: number): number {
  if (aheadMs <= stepLimits.ahead) return 0;
  if (aheadMs <= stepLimits.idleAhead) return Math.min(stepLimits.slice * jobs, aheadMs - stepLimits.ahead);
  return Math.max(stepLimits.sleep, aheadMs - stepLimits.idleAhead);
}
