import type { Profile, TurnPlayed } from "@voxbus/protocol";
import type { MemoryBudget } from "../memory-budget.ts";
import type { Uplink } from "../uplink/uplink.ts";
import { PlayoutBuffer } from "./buffer.ts";
import type { Clock } from "./clock.ts";
import type { Downlink } from "./downlink.ts";
import type { Fence } from "./fence.ts";
import type { Pacer } from "./pacer.ts";
import { alertOf, createPhrase, type PhraseSounds } from "./phrases.ts";
import type { ReplyQueue } from "./reply-queue.ts";
import type { Outcome, PhraseName } from "./turn-state.ts";
import type { Turn } from "./turn.ts";

/** Dependencies of the reports. */
export interface TurnReportsDeps {
  readonly downlink: Downlink;
  readonly uplink: Pick<Uplink, "seq">;
  readonly clock: Pick<Clock, "now">;
  readonly memory: MemoryBudget;
  readonly turns: { ended(turn: TurnPlayed): void; noticed(kind: Notice): void };
  readonly profile: () => Pick<Profile, "language">;
  readonly phrase: PhraseSounds;
}

/** A notice about load: the turn waits, or it was shed. */
export type Notice = Exclude<PhraseName, "apology">;

/** Tells observers how turns ended, and the user that one failed. */
export class TurnReports {
  readonly #deps: TurnReportsDeps;
  readonly #fence: Fence;
  readonly #pacer: Pacer;
  readonly #queue: ReplyQueue;
  #endedAt = -Infinity;
  #lastReply: string | undefined;
  #lastTurn: number | undefined;

  constructor(deps: TurnReportsDeps, fence: Fence, pacer: Pacer, queue: ReplyQueue) {
    this.#queue = queue;
    this.#deps = deps;
    this.#fence = fence;
    this.#pacer = pacer;
  }

  /** The time at which a turn or an announcement ended last, ms. */
  get endedAt(): number {
    return this.#endedAt;
  }

  /** Ends the conversation when the reply with this id has ended. Undefined: it goes on. */
  closeAfter(reply: string | undefined): void {
    this.#lastReply = reply;
  }

  /** Ends the conversation when the reply of this turn was played to its end. If the user ends it before, it goes on. */
  closeAfterTurn(origin: number): void {
    this.#lastTurn = origin;
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
    const isLastTurn = turn.origin !== undefined && turn.origin === this.#lastTurn && outcome === "played";
    if (isLastTurn || turn.id === this.#lastReply) downlink.close("done");
  }

  /** Shows a notice, and counts it. */
  show(name: Notice): void {
    const { downlink, profile, turns } = this.#deps;
    turns.noticed(name);
    downlink.writeText(alertOf(name, profile().language));
  }

  /**
   * Tells the user of a turn, ahead of the replies that wait. Returns false if there is no sound in the profile's language. An
   * apology is shown only then.
   */
  say(name: PhraseName, turn: Turn): boolean {
    const { phrase, profile, clock, memory, downlink, uplink } = this.#deps;
    const { language } = profile();
    const packets = phrase(name, language);
    const isNotice = name !== "apology";
    if (isNotice) this.show(name);
    else if (!packets) downlink.writeText(alertOf(name, language));
    if (!packets) return false;
    const cause = turn.origin ?? (turn instanceof PlayoutBuffer ? turn.id : "");
    const place = { id: `${name}-${cause}`, seq: uplink.seq, isNotice };
    this.#queue.addFirst(createPhrase(packets, place, clock.now(), memory));
    return true;
  }
}
