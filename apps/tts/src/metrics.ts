import type { Meter } from "@opentelemetry/api";
import type { CacheResult } from "./packet-cache.ts";

const advice = { explicitBucketBoundaries: [10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000] };

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
}

/** Creates the program's instruments. `openReplies` returns the number of replies in progress. */
export function createMetrics(meter: Meter, openReplies: () => number): TtsMetrics {
  const failures = meter.createCounter("voxbus_tts_engine_failures", { description: "Failed syntheses" });
  const lookups = meter.createCounter("voxbus_tts_cache_lookups", {
    description: "Sentences of repeatable engines, by where their packets came from",
  });
  const firstSounds = meter.createHistogram("voxbus_tts_first_sound_ms", {
    description: "Time from the claim of a reply to its first packet",
    advice,
  });
  const engineTimes = meter.createHistogram("voxbus_tts_engine_ms", {
    description: "Time that an engine took for a piece of text",
    advice,
  });
  meter
    .createObservableGauge("voxbus_tts_replies", { description: "Replies being synthesized or still playing" })
    .addCallback((result) => result.observe(openReplies()));
  return {
    firstSound: (ms) => firstSounds.record(ms),
    synthesized: (engine, ms) => engineTimes.record(ms, { engine }),
    engineFailed: (engine) => failures.add(1, { engine }),
    cacheAsked: (result) => lookups.add(1, { result }),
  };
}
