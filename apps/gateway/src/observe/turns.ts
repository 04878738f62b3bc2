import { tracingIsOn, type Trace } from "@voxbus/bus";
import { outcomeOf, type TurnPlayed } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import type { Counters } from "./counters.ts";
import type { SessionEvents } from "./session-events.ts";
import { TurnTimes, type TurnMeter } from "./turn-times.ts";
import { TurnTraces } from "./turn-traces.ts";

/** Dependencies of a turn observer. */
interface TurnObserverDeps {
  readonly counters: Counters;
  readonly turnMeter: TurnMeter;
  readonly log: Pick<Log, "warn">;
}

/** Reports one session's turns: totals, histograms, spans while tracing is on, and the event that a turn has ended. */
export class TurnObserver {
  readonly #counters: Counters;
  readonly #log: Pick<Log, "warn">;
  readonly #session: { readonly id: string; readonly device: string };
  readonly #events: SessionEvents;
  readonly #times: TurnTimes;
  readonly #traces: TurnTraces | undefined;

  constructor(
    { counters, turnMeter, log }: TurnObserverDeps,
    events: SessionEvents,
    session: { readonly id: string; readonly device: string; readonly gateway: string },
  ) {
    this.#counters = counters;
    this.#log = log;
    this.#session = session;
    this.#events = events;
    this.#times = new TurnTimes(turnMeter);
    this.#traces = tracingIsOn() ? new TurnTraces(session) : undefined;
  }

  /** A listen starts. Returns the trace headers of its opening frame. */
  listening(mode: string): Trace | undefined {
    return this.#traces?.listening(mode);
  }

  /** Typed text came. Returns the trace headers of its frame. */
  typing(): Trace | undefined {
    return this.#traces?.typed();
  }

  /** Typed text was published as `origin`. */
  typed(origin: number): void {
    this.#traces?.caused(origin);
    this.#times.typed(origin);
  }

  /** The transcript of speech came. Its last voiced frame was published at `at`, ms since the epoch, if still known. */
  heard(origin: number, at: number | undefined): void {
    this.#traces?.caused(origin);
    this.#traces?.event("end of speech");
    this.#times.heard(origin, at);
  }

  /** A reply's first frame came from tts. */
  replying(reply: string, trace: Trace): void {
    this.#traces?.replying(reply, trace);
  }

  /** An audio frame came from tts. */
  audioArrived(origin: number | undefined): void {
    this.#times.arrived(origin);
  }

  /** Something happened to the newest turn. */
  event(name: "abort" | "barge-in"): void {
    this.#traces?.event(name);
  }

  /** The sound stopped. `since` is the time at which the device, or the user's voice, asked for it. */
  silenced(since: number, by: "abort" | "voice"): void {
    this.#times.silenced(since, by);
  }

  /** A turn or an announcement ended. */
  ended(turn: TurnPlayed): void {
    const outcome = outcomeOf(turn);
    this.#counters.turns[outcome] += 1;
    if (outcome === "deadline" || outcome === "dry" || outcome === "shed") {
      const { device, id: session } = this.#session;
      this.#log.warn({ device, session, turn: turn.origin, reply: turn.reply, reason: outcome }, "turn failed");
    }
    this.#traces?.ended(turn);
    this.#times.ended(turn);
    this.#events.publish({ turn });
  }

  /** The device was told that a turn waits, or that it was shed. */
  noticed(kind: "wait" | "busy"): void {
    this.#counters.notices[kind] += 1;
  }

  /** The session ended. */
  close(): void {
    this.#traces?.close();
  }
}
