import type { Bus, Closer } from "@voxbus/bus";
import { createAdmission, usualWaiting, type Admission } from "@voxbus/pools";
import type { TurnInput } from "./turn-input.ts";
import { watchVoices } from "./voices.ts";

/** The place of a turn among those that the tts processes can speak. */
export interface TurnPlace {
  /** The first sentence of the answer is stored. */
  begun(): void;
  /** The turn has ended. */
  leave(): void;
}

/**
 * Admits turns before their model is asked, if a tts process can speak the answer: a turn's later stages are admitted together with
 * the turn. If no tts process tells what it can take, every turn is admitted.
 */
export interface TurnAdmission extends Closer, Pick<Admission, "waiting" | "room"> {
  /** Waits for the place of a turn. `onWait` is called if its user must be told. Rejects with ShedError, or the signal's reason. */
  enter(turn: TurnInput, onWait: () => void, signal: AbortSignal): Promise<TurnPlace>;
}

/** A reply that began this long before a report is counted in it, ms: tts has claimed it. */
const claimMs = 30;
/** A reply that began is counted by tts after this time, ms, whatever reports say. */
const mostMs = 6000;
const sweepMs = 1000;

/** Creates the admission of this process. */
export function createTurnAdmission(
  bus: Pick<Bus, "subscribe" | "now">,
  limits: {
    readonly deadlineMs: number;
    readonly patienceMs: number;
    /** The most turns that wait. */
    readonly most: number;
  },
): TurnAdmission {
  const { deadlineMs, patienceMs, most } = limits;
  /** The functions that give places back, with the time when the reply began. tts may not count it yet. */
  const begun = new Map<() => void, number>();
  const giveBack = (before: number) => {
    for (const [leave, at] of begun) {
      if (at > before) continue;
      begun.delete(leave);
      leave();
    }
    admission.update();
  };
  const voices = watchVoices(bus, () => giveBack(performance.now() - claimMs));
  const free = (taken: number) => (voices.spare() ?? Infinity) - taken;
  const admission = createAdmission({ deadlineMs, patienceMs, waiting: { ...usualWaiting, high: most }, free });
  const sweep = setInterval(() => giveBack(performance.now() - mostMs), sweepMs);
  sweep.unref();

  return {
    waiting: admission.waiting,
    room: admission.room,
    async enter({ delivery }, onWait, signal) {
      const since = performance.now() - Math.max(0, bus.now() - delivery.storedAt);
      // Another worker had it, which may have begun the answer.
      const isBegun = delivery.attempt > 1;
      const leave = isBegun ? admission.take() : await admission.enter({ priority: "high", since, onWait }, signal);
      return {
        begun() {
          if (!begun.has(leave)) begun.set(leave, performance.now());
        },
        leave() {
          if (!begun.has(leave)) leave();
        },
      };
    },
    close() {
      clearInterval(sweep);
      voices.close();
    },
  };
}
