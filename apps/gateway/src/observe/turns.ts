import { tracingIsOn, type Trace } from "@voxbus/bus";
import type { TurnPlayed } from "@voxbus/protocol";
import type { Counters } from "./counters.ts";
import type { SessionEvents } from "./session-events.ts";
import { TurnTimes, type TurnMeter } from "./turn-times.ts";
import { TurnTraces } from "./turn-traces.ts";

/** Reports one session's turns: totals, histograms, spans while tracing is on, and the event that a turn has ended. */
export class TurnObserver {
  readonly #counters: Counters;
  readonly #events: SessionEvents;
  readonly #times: TurnTimes;
  readonly #traces: TurnTraces | undefined;

  constructor(
    { counters, turnMeter }: { readonly counters: Counters; readonly turnMeter: TurnMeter },
    events: SessionEvents,
    session: { readonly id: string; readonly device: string; readonly gateway: string },
  ) {
    this.#counters = counters;
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
    if (turn.complete) this.#counters.turnsComplete += 1;
    else this.#counters.turnsFailed += 1;
    this.#traces?.ended(turn);
    this.#times.ended(turn);
    this.#events.publish({ turn });
  }

  /** The session ended. */
  close(): void {
    this.#traces?.close();
  }
}
