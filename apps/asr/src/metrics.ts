import type { Meter } from "@opentelemetry/api";
import type { Heard } from "@voxbus/protocol";
import type { Dismissal } from "./speech-gate.ts";

const advice = { explicitBucketBoundaries: [10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000] };

/** The outcome of an utterance. */
export type Outcome = "heard" | "discarded" | Dismissal | NonNullable<Heard["reason"]>;

/** The measurements of listens. */
export interface AsrMetrics {
  /** Counts an utterance, or a listen without speech (no engine). `ms` is the time from the end of speech to the stored transcript. */
  utteranceEnded(outcome: Outcome, ms: number, engine: string | undefined): void;
  /** Records the time that the engine took for an utterance after its end. */
  engineRan(run: { readonly engine: string; readonly ms: number; readonly failed: boolean }): void;
  /** Counts a packet that is not valid Opus. */
  invalidPacket(code: string): void;
}

/** Creates the program's instruments. `openListens` returns the number of listens in progress. */
export function createMetrics(meter: Meter, openListens: () => number): AsrMetrics {
  const utterances = meter.createCounter("voxbus_asr_utterances", { description: "Utterances by outcome" });
  const transcripts = meter.createHistogram("voxbus_asr_transcript_ms", {
    description: "Time from the detected end of speech to the stored transcript",
    advice,
  });
  const engineTimes = meter.createHistogram("voxbus_asr_engine_ms", {
    description: "Time that the engine took after the end of speech",
    advice,
  });
  const engineFailures = meter.createCounter("voxbus_asr_engine_failures", { description: "Failed recognitions" });
  const invalidPackets = meter.createCounter("voxbus_asr_invalid_packets", {
    description: "Packets that are not valid Opus",
  });
  meter
    .createObservableGauge("voxbus_asr_listens", { description: "Open listens" })
    .addCallback((result) => result.observe(openListens()));
  return {
    utteranceEnded(outcome, ms, engine) {
      utterances.add(1, { outcome });
      if (outcome !== "discarded" && engine !== undefined) transcripts.record(ms, { engine });
    },
    engineRan({ engine, ms, failed }) {
      engineTimes.record(ms, { engine });
      if (failed) engineFailures.add(1, { engine });
    },
    invalidPacket: (code) => invalidPackets.add(1, { code }),
  };
}
