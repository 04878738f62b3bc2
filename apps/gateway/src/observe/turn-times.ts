import type { Meter } from "@opentelemetry/api";
import type { TurnPlayed } from "@voxbus/protocol";
import { startAtZero } from "@voxbus/subscriber";

/** Histograms of turns, one set for all sessions of a gateway. */
export interface TurnMeter {
  /** Records how long a stage of a turn took. */
  record(what: "final" | "arrived" | "sounded", ms: number, kind: "spoken" | "typed"): void;
  /** Records how long after the device, or the user's voice, asked for silence it was silent. */
  silenced(ms: number, by: "abort" | "voice"): void;
}

/** In seconds. */
const boundaries = [0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10];

/** Creates the histograms. All times are the gateway's own: no other machine's clock enters them. */
export function createTurnMeter(meter: Meter): TurnMeter {
  const histogram = (name: string, description: string) =>
    meter.createHistogram(name, { description, advice: { explicitBucketBoundaries: boundaries } });
  const instruments = {
    final: histogram("voxbus_gateway_transcript_seconds", "From the last voiced frame to its transcript"),
    arrived: histogram("voxbus_gateway_first_audio_seconds", "From the cause of a turn to its first sound here"),
    sounded: histogram(
      "voxbus_gateway_first_sound_seconds",
      "From the cause of a turn to its first sound on the socket",
    ),
  };
  const silence = histogram("voxbus_gateway_silence_seconds", "From an interruption to the end of the sound");
  startAtZero(instruments.final, { kind: ["spoken"] });
  for (const one of [instruments.arrived, instruments.sounded]) startAtZero(one, { kind: ["spoken", "typed"] });
  startAtZero(silence, { by: ["abort", "voice"] });
  return {
    record: (what, ms, kind) => instruments[what].record(Math.max(0, ms) / 1000, { kind }),
    silenced: (ms, by) => silence.record(Math.max(0, ms) / 1000, { by }),
  };
}

interface OpenTurn {
  readonly at: number;
  readonly kind: "spoken" | "typed";
  /** Time that the transcript took. */
  readonly waited: number;
  arrived: boolean;
}

/** Follows one session's turns for the histograms. Times in ms since the epoch. */
export class TurnTimes {
  readonly #meter: TurnMeter;
  /** Created with the first turn, because most sessions are idle. */
  #turns: Map<number, OpenTurn> | undefined;

  constructor(meter: TurnMeter) {
    this.#meter = meter;
  }

  get #open(): Map<number, OpenTurn> {
    return (this.#turns ??= new Map());
  }

  /** Typed text was published as `origin`: its turn begins. */
  typed(origin: number): void {
    this.#open.set(origin, { at: Date.now(), kind: "typed", waited: 0, arrived: false });
  }

  /** A transcript came. The last voiced frame of its speech was published at `at`, if that is still known. */
  heard(origin: number, at: number | undefined): void {
    if (at === undefined) return;
    const waited = Date.now() - at;
    this.#open.set(origin, { at, kind: "spoken", waited, arrived: false });
    this.#meter.record("final", waited, "spoken");
  }

  /** A frame of sound came from tts. */
  arrived(origin: number | undefined): void {
    const turn = origin === undefined ? undefined : this.#open.get(origin);
    if (!turn || turn.arrived) return;
    turn.arrived = true;
    this.#meter.record("arrived", Date.now() - turn.at, turn.kind);
  }

  /** A turn ended. */
  ended({ origin, firstAudio }: TurnPlayed): void {
    if (origin === undefined) return;
    const turn = this.#open.get(origin);
    // A turn's own count begins when the transcript came.
    if (turn && firstAudio !== undefined) this.#meter.record("sounded", turn.waited + firstAudio, turn.kind);
    for (const older of this.#open.keys()) if (older <= origin) this.#open.delete(older);
  }

  /** The sound stopped, after a request for it at `since`. */
  silenced(since: number, by: "abort" | "voice"): void {
    this.#meter.silenced(Date.now() - since, by);
  }
}
