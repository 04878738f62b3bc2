import type { Meter } from "@opentelemetry/api";
import type { TurnPlayed } from "@voxbus/protocol";

/** The histograms of a gateway's turns; one set for all sessions. */
export interface TurnMeter {
  record(what: "final" | "arrived" | "sounded", ms: number, kind: "spoken" | "typed"): void;
  /** Something was cut, so long after the device, or the user's voice, asked for it. */
  silenced(ms: number, by: "abort" | "voice"): void;
}

const boundaries = [10, 25, 50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 10_000];

/** Makes the histograms. All times are the gateway's own: no other machine's clock is in them. */
export function createTurnMeter(meter: Meter): TurnMeter {
  const histogram = (name: string, description: string) =>
    meter.createHistogram(name, { description, advice: { explicitBucketBoundaries: boundaries } });
  const instruments = {
    final: histogram("voxbus_gateway_transcript_ms", "From the last voiced frame to its transcript"),
    arrived: histogram("voxbus_gateway_first_audio_ms", "From the cause of a turn to its first sound here"),
    sounded: histogram("voxbus_gateway_first_sound_ms", "From the cause of a turn to its first sound on the socket"),
  };
  const silence = histogram("voxbus_gateway_silence_ms", "From an interruption to the end of the sound");
  return {
    record: (what, ms, kind) => instruments[what].record(Math.max(0, ms), { kind }),
    silenced: (ms, by) => silence.record(Math.max(0, ms), { by }),
  };
}

interface OpenTurn {
  readonly at: number;
  readonly kind: "spoken" | "typed";
  /** What the transcript took. */
  readonly waited: number;
  arrived: boolean;
}

/** Follows one session's turns for the histograms; times in ms since the epoch. */
export class TurnTimes {
  readonly #meter: TurnMeter;
  /** Made with the first turn: most sessions are idle. */
  #turns: Map<number, OpenTurn> | undefined;

  constructor(meter: TurnMeter) {
    this.#meter = meter;
  }

  get #open(): Map<number, OpenTurn> {
    return (this.#turns ??= new Map());
  }

  typed(origin: number): void {
    this.#open.set(origin, { at: Date.now(), kind: "typed", waited: 0, arrived: false });
  }

  /** The transcript of speech came whose last voiced frame was published at `at`, if that is still known. */
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

  ended({ origin, firstAudio }: TurnPlayed): void {
    if (origin === undefined) return;
    const turn = this.#open.get(origin);
    // The turn's own count begins where the transcript came.
    if (turn && firstAudio !== undefined) this.#meter.record("sounded", turn.waited + firstAudio, turn.kind);
    for (const older of this.#open.keys()) if (older <= origin) this.#open.delete(older);
  }

  silenced(since: number, by: "abort" | "voice"): void {
    this.#meter.silenced(Date.now() - since, by);
  }
}
