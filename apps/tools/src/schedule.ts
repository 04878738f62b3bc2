import { setMaxListeners } from "node:events";
import type { BusLog, Closer } from "@voxbus/bus";
import { describeCause } from "@voxbus/subscriber";
import PQueue from "p-queue";
import type { Clock } from "./clock.ts";

/** The next step of each of many things, at its time. */
export interface Schedule extends Closer {
  /** Takes the step of a thing in `ms`, in place of the one that was planned. While a step is taken: again right after it. */
  arm(id: string, ms: number): void;
  /** Forgets a thing. */
  disarm(id: string): void;
  /** True while the step of a thing is taken. */
  isRunning(id: string): boolean;
}

/** Dependencies of a schedule. */
export interface ScheduleDeps {
  readonly clock: Clock;
  readonly log: BusLog;
  /** Takes a step. It resolves with the time until the next one, ms, or with undefined. If it rejects, it is taken again. */
  readonly step: (id: string, signal: AbortSignal) => Promise<number | undefined>;
}

/** Steps that are taken at the same time. Others wait. A ring takes until it is played. */
const mostSteps = 256;
const firstRetryMs = 1000;
const lastRetryMs = 60_000;

/** Creates a schedule. A thing has one step at a time. */
export function createSchedule({ clock, log, step }: ScheduleDeps): Schedule {
  const timers = new Map<string, () => void>();
  const failures = new Map<string, number>();
  const running = new Set<string>();
  /** Things that were armed while their step was taken. */
  const rearmed = new Set<string>();
  const steps = new PQueue({ concurrency: mostSteps });
  const closing = new AbortController();
  const { signal } = closing;
  // Every step that is taken may listen.
  setMaxListeners(0, signal);

  const run = async (id: string): Promise<void> => {
    if (running.has(id)) return;
    running.add(id);
    try {
      const next = await steps.add(async () => (signal.aborted ? undefined : step(id, signal)));
      failures.delete(id);
      // Nothing may come between this and the end of the run, or a call of `arm` would be lost.
      if (rearmed.has(id)) plan(id, 0);
      else if (next !== undefined) plan(id, next);
    } catch (error) {
      if (signal.aborted) return;
      const count = failures.get(id) ?? 0;
      failures.set(id, count + 1);
      log.warn({ cause: describeCause(error), announcement: id }, "announcement failed, retrying");
      plan(id, Math.min(firstRetryMs * 2 ** count, lastRetryMs));
    } finally {
      running.delete(id);
      rearmed.delete(id);
    }
  };
  const disarm = (id: string): void => {
    timers.get(id)?.();
    timers.delete(id);
    failures.delete(id);
    rearmed.delete(id);
  };
  function plan(id: string, ms: number): void {
    timers.get(id)?.();
    if (signal.aborted) return;
    const fire = clock.after(Math.max(0, ms), () => {
      timers.delete(id);
      return run(id);
    });
    timers.set(id, fire);
  }
  return {
    arm(id, ms) {
      if (running.has(id)) rearmed.add(id);
      else plan(id, ms);
    },
    disarm,
    isRunning: (id) => running.has(id),
    close() {
      closing.abort();
      for (const id of timers.keys()) disarm(id);
    },
  };
}
