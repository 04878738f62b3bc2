import type { Profile, TurnPlayed } from "@voxbus/protocol";
import type { MemoryBudget } from "../memory-budget.ts";
import { createApology } from "./apology.ts";
import { PlayoutBuffer } from "./buffer.ts";
import type { Clock } from "./clock.ts";
import type { Downlink } from "./downlink.ts";
import type { Fence } from "./fence.ts";
import type { Pacer } from "./pacer.ts";
import type { Outcome } from "./turn-state.ts";
import type { Turn } from "./turn.ts";

/** Dependencies of the reports. */
export interface TurnReportsDeps {
  readonly downlink: Downlink;
  readonly clock: Pick<Clock, "now">;
  readonly memory: MemoryBudget;
  readonly turns: { ended(turn: TurnPlayed): void };
  readonly profile: () => Pick<Profile, "language">;
  /** Gives the spoken apology in a language as Opus packets of 60 ms, or undefined if that language has no apology. */
  readonly apology: (language: string) => readonly Uint8Array[] | undefined;
}

/** Tells observers how turns ended, and the user that one failed. */
export class TurnReports {
  readonly #deps: TurnReportsDeps;
  readonly #fence: Fence;
  readonly #pacer: Pacer;
  #endedAt = -Infinity;
  #lastReply: string | undefined;

  constructor(deps: TurnReportsDeps, fence: Fence, pacer: Pacer) {
    this.#deps = deps;
    this.#fence = fence;
    this.#pacer = pacer;
  }

  /** The time at which a turn or an announcement ended last, ms. */
  get endedAt(): number {
    return this.#endedAt;
  }

  /** Closes the session when the reply with this id has ended. */
  closeAfter(reply: string): void {
    this.#lastReply = reply;
  }

  /** Reports how a turn ended, and releases its frames. */
  report(turn: Turn, outcome: Outcome): void {
    const { turns, clock, downlink } = this.#deps;
    this.#endedAt = clock.now();
    if (!(turn instanceof PlayoutBuffer)) {
      const { origin } = turn;
      return turns.ended({ origin, complete: false, reason: outcome, fenced: 0, dropped: 0, late: 0 });
    }
    turns.ended(turn.report(outcome, this.#fence.takeDropped(), this.#pacer.firstAudio));
    turn.discard();
    if (turn.id === this.#lastReply) downlink.close("done");
  }

  /** Gives the apology for a turn that failed, ranked after `seq`. Without a spoken one the device is told by an alert. */
  apologize(turn: Turn, seq: number): PlayoutBuffer | undefined {
    const { apology, profile, clock, memory, downlink } = this.#deps;
    const packets = apology(profile().language);
    if (!packets) {
      const message = "Something went wrong. Please try again.";
      downlink.writeText({ type: "alert", status: "Sorry", message, emotion: "sad" });
      return undefined;
    }
    const cause = turn.origin ?? (turn instanceof PlayoutBuffer ? turn.id : "");
    return createApology(packets, { id: `apology-${cause}`, seq }, clock.now(), memory);
  }
}
