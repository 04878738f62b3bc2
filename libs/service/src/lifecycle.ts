import { setMaxListeners } from "node:events";
import type { Log } from "./log.ts";

/** `drain` lets work in progress finish, within 30 s (SIGTERM). `quick` ends within 5 s (SIGINT). */
export type StopMode = "drain" | "quick";

type Step = (mode: StopMode) => void | Promise<void>;

/** Numbers of what a drain waits for, by name, such as `sessions`. */
type Waiting = () => Readonly<Record<string, number>>;

/** Time between two lines about a drain, ms. */
const tellMs = 1000;

/** Stops a program in order: first all drains at once, then every deferred step in reverse order. */
export interface Lifecycle {
  /** Aborted when the program begins to stop or to drain. */
  readonly signal: AbortSignal;
  /** Adds a step that undoes another one. */
  defer(undo: Step): void;
  /**
   * Adds work to finish, or to hand over, before anything is undone. Every second that a drain lasts, a line has the numbers
   * of what it waits for.
   */
  drain(finish: (mode: StopMode) => Promise<void>, waiting?: Waiting): void;
  /** Drains without stopping. A mode runs once. `quick` also runs while a `drain` is in progress, to hurry it. */
  finish(mode: StopMode): Promise<void>;
  /** Drains and undoes everything, once. `quick` hurries a stop in progress. Failed steps are logged and passed over. */
  stop(mode: StopMode): Promise<void>;
}

/** Creates the life cycle of one program. If `early` is aborted, so is `signal`. */
export function createLifecycle(log: Log, early?: AbortSignal): Lifecycle {
  const stopping = new AbortController();
  // Thousands of jobs and streams of one process wait for it.
  setMaxListeners(0, stopping.signal);
  early?.addEventListener("abort", () => stopping.abort(early.reason));
  const undos: Step[] = [];
  const drains: Step[] = [];
  const waits: Waiting[] = [];
  const drained: Partial<Record<StopMode, Promise<void>>> = {};
  let stopped: Promise<void> | undefined;

  const attempt = async (step: Step, mode: StopMode, failure: string) => {
    try {
      await step(mode);
    } catch (err) {
      log.error({ err, mode }, failure);
    }
  };
  const drainAll = async (mode: StopMode) => {
    stopping.abort(new Error("the program stops"));
    const timer = setInterval(() => log.info(countWaits(waits), "drain waiting"), tellMs);
    await Promise.all(drains.map((drain) => attempt(drain, mode, "drain failed")));
    clearInterval(timer);
  };
  const finish = (mode: StopMode) => (drained[mode] ??= drainAll(mode));
  const undoAll = async (mode: StopMode) => {
    await finish(mode);
    for (const undo of undos.toReversed()) await attempt(undo, mode, "teardown failed");
  };
  return {
    signal: stopping.signal,
    defer: (undo) => undos.push(undo),
    drain: (work, waiting) => {
      drains.push(work);
      if (waiting !== undefined) waits.push(waiting);
    },
    finish,
    stop(mode) {
      if (stopped && mode === "quick") void finish(mode);
      return (stopped ??= undoAll(mode));
    },
  };
}

/** Adds up what all drains wait for. */
function countWaits(waits: readonly Waiting[]): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const [name, count] of waits.flatMap((waiting) => Object.entries(waiting())))
    sums[name] = (sums[name] ?? 0) + count;
  return sums;
}
