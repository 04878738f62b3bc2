import type { Meter } from "@opentelemetry/api";
import { opusPacketProblems, type OpusPacketProblem } from "@voxbus/audio";
import { Heard } from "@voxbus/protocol";
import { startAtZero } from "@voxbus/subscriber";
import { dismissals } from "./speech-gate.ts";

/** In seconds. */
const advice = { explicitBucketBoundaries: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] };

const outcomes = ["heard", "discarded", ...dismissals, ...Heard.shape.reason.unwrap().options] as const;
/** The outcome of an utterance. */
export type Outcome = (typeof outcomes)[number];

/** The measurements of listens. */
export interface AsrMetrics {
  /** Counts an utterance, or a listen without speech (no engine). `ms` is the time from the end of speech to the stored transcript. */
  utteranceEnded(outcome: Outcome, ms: number, engine: string | undefined): void;
  /** Records the time that the engine took for an utterance after its end. */
  engineRan(run: { readonly engine: string; readonly ms: number; readonly failed: boolean }): void;
  /** Counts a packet that is not valid Opus. */
  invalidPacket(code: OpusPacketProblem): void;
}

/** Creates the program's instruments. `openListens` returns the number of listens in progress, `engine` names the engines. */
export function createMetrics(meter: Meter, engine: readonly string[], openListens: () => number): AsrMetrics {
  const utterances = meter.createCounter("voxbus_asr_utterances", { description: "Utterances by outcome" });
  const transcripts = meter.createHistogram("voxbus_asr_transcript_seconds", {
    description: "Time from the detected end of speech to the stored transcript",
    advice,
  });
  const engineTimes = meter.createHistogram("voxbus_asr_engine_seconds", {
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
  startAtZero(utterances, { outcome: outcomes });
  for (const instrument of [transcripts, engineTimes, engineFailures]) startAtZero(instrument, { engine });
  startAtZero(invalidPackets, { code: opusPacketProblems });
  return {
    utteranceEnded(outcome, ms, engine) {
      utterances.add(1, { outcome });
      if (outcome !== "discarded" && engine !== undefined) transcripts.record(ms / 1000, { engine });
    },
    engineRan({ engine, ms, failed }) {
      engineTimes.record(ms / 1000, { engine });
      if (failed) engineFailures.add(1, { engine });
    },
    invalidPacket: (code) => invalidPackets.add(1, { code }),
  };
}
