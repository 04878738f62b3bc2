import type { Meter } from "@opentelemetry/api";
import type { Admission } from "@voxbus/pools";
import { startAtZero } from "@voxbus/subscriber";
import { cacheResults, type CacheResult } from "./packet-cache.ts";

/** In seconds. */
const advice = { explicitBucketBoundaries: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] };

const shedPriorities = ["high", "normal"] as const;
type ShedPriority = (typeof shedPriorities)[number];

/** The measurements of replies. Times are in ms. */
export interface TtsMetrics {
  /** Records the time from the claim of a reply to its first packet. */
  firstSound(ms: number): void;
  /** Records the time that an engine took for a piece of text. */
  synthesized(engine: string, ms: number): void;
  /** Counts a failed synthesis. */
  engineFailed(engine: string): void;
  /** Counts a sentence that the packet cache was asked for. */
  cacheAsked(result: CacheResult): void;
  /** Counts a reply that was shed. */
  replyShed(priority: ShedPriority): void;
  /** Shows the places for replies. */
  observeAdmission(admission: Pick<Admission, "taken" | "waiting" | "spare">): void;
}

/** Creates the program's instruments. `openReplies` returns the number of replies in progress, `engine` names the engines. */
export function createMetrics(meter: Meter, engine: readonly string[], openReplies: () => number): TtsMetrics {
  const failures = meter.createCounter("voxbus_tts_engine_failures", { description: "Failed syntheses" });
  const lookups = meter.createCounter("voxbus_tts_cache_lookups", {
    description: "Sentences of repeatable engines, by where their packets came from",
  });
  const shed = meter.createCounter("voxbus_tts_replies_shed", { description: "Replies that found no place in time" });
  const places = meter.createObservableGauge("voxbus_tts_places", {
    description: "Places for replies: taken, free beyond those that wait, and replies that wait for one",
  });
  const firstSounds = meter.createHistogram("voxbus_tts_first_sound_seconds", {
    description: "Time from the claim of a reply to its first packet",
    advice,
  });
  const engineTimes = meter.createHistogram("voxbus_tts_engine_seconds", {
    description: "Time that an engine took for a piece of text",
    advice,
  });
  meter
    .createObservableGauge("voxbus_tts_replies", { description: "Replies being synthesized or still playing" })
    .addCallback((result) => result.observe(openReplies()));
  for (const instrument of [failures, engineTimes]) startAtZero(instrument, { engine });
  startAtZero(lookups, { result: cacheResults });
  startAtZero(shed, { priority: shedPriorities });
  startAtZero(firstSounds);
  return {
    firstSound: (ms) => firstSounds.record(ms / 1000),
    synthesized: (engine, ms) => engineTimes.record(ms / 1000, { engine }),
    engineFailed: (engine) => failures.add(1, { engine }),
    cacheAsked: (result) => lookups.add(1, { result }),
    replyShed: (priority) => shed.add(1, { priority }),
    observeAdmission: ({ taken, waiting, spare }) =>
      places.addCallback((result) => {
        for (const [state, count] of Object.entries({ taken: taken(), waiting: waiting(), spare: spare() }))
          result.observe(count, { state });
      }),
  };
}
