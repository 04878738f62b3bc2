import type { Meter } from "@opentelemetry/api";
import type { TurnOutcome } from "./turn-input.ts";

const boundaries = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/** One answer of an engine. */
export interface EngineRun {
  readonly engine: string;
  readonly ms: number;
  readonly failed: boolean;
}

/** The measurements of turns. Times are in ms since the turn was claimed. */
export interface TurnMetrics {
  firstToken(ms: number): void;
  firstSentence(ms: number): void;
  engineRan(run: EngineRun): void;
  turnEnded(outcome: TurnOutcome): void;
  /** Counts a part of requests that the model's server turned out to refuse. */
  modelRefused(part: string): void;
  /** Counts fields of a device's list of tools that are left out. */
  toolFieldsLeftOut(count: number): void;
  /** Shows the number of turns that wait for their place. */
  observeWaiting(waiting: () => number): void;
}

/** Creates the program's instruments. `openTurns` gives the number of turns in progress. */
export function createMetrics(meter: Meter, openTurns: () => number): TurnMetrics {
  const turns = meter.createCounter("voxbus_dialogue_turns", { description: "Turns by outcome" });
  const firstSentences = meter.createHistogram("voxbus_dialogue_first_sentence_ms", {
    description: "Time from the claim of a turn to its first stored sentence",
    advice: { explicitBucketBoundaries: boundaries },
  });
  const firstTokens = meter.createHistogram("voxbus_dialogue_first_token_ms", {
    description: "Time from the claim of a turn to its model's first token",
    advice: { explicitBucketBoundaries: boundaries },
  });
  const engineTimes = meter.createHistogram("voxbus_dialogue_engine_ms", {
    description: "Time that an engine took for a whole answer",
    advice: { explicitBucketBoundaries: [...boundaries, 30_000, 60_000] },
  });
  const engineFailures = meter.createCounter("voxbus_dialogue_engine_failures", {
    description: "Answers that an engine did not complete",
  });
  const refusedParts = meter.createCounter("voxbus_dialogue_model_refused", {
    description: "Parts of requests that the model's server turned out to refuse",
  });
  const oddTools = meter.createCounter("voxbus_dialogue_tools_odd", {
    description: "Fields of devices' lists of tools that are left out",
  });
  const turnsWaiting = meter.createObservableGauge("voxbus_dialogue_turns_waiting", {
    description: "Turns that wait until a tts can speak their answer",
  });
  meter
    .createObservableGauge("voxbus_dialogue_turns_open", { description: "Turns being answered" })
    .addCallback((result) => result.observe(openTurns()));
  return {
    firstToken: (ms) => firstTokens.record(ms),
    firstSentence: (ms) => firstSentences.record(ms),
    engineRan({ engine, ms, failed }) {
      engineTimes.record(ms, { engine });
      if (failed) engineFailures.add(1, { engine });
    },
    modelRefused: (part) => refusedParts.add(1, { part }),
    toolFieldsLeftOut: (count) => oddTools.add(count),
    observeWaiting: (waiting) => turnsWaiting.addCallback((result) => result.observe(waiting())),
    turnEnded: (outcome) => turns.add(1, { outcome }),
  };
}
