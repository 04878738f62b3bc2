import type { Meter } from "@opentelemetry/api";
import { startAtZero } from "@voxbus/subscriber";
import { requestParts, type RequestPart } from "./engines/openai-completer.ts";
import { skipReasons, type SkipReason } from "./tools/bus-tool.ts";
import type { CallRun } from "./tools/bus-tools.ts";
import { callFailures } from "./tools/call-error.ts";
import { turnOutcomes, type TurnOutcome } from "./turn-input.ts";

/** In seconds. */
const boundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

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
  modelRefused(part: RequestPart): void;
  /** Counts fields of a device's list of tools that are left out. */
  toolFieldsLeftOut(count: number): void;
  /** Counts a tool of a program that is not offered. */
  toolSkipped(reason: SkipReason): void;
  /** Counts and times a call of a program's tool. */
  toolCalled(run: CallRun): void;
  /** Shows the number of tools that programs offer, and the calls of each from 0. */
  observeTools(names: () => Iterable<string>): void;
  /** Shows the number of turns that wait for their place. */
  observeWaiting(waiting: () => number): void;
}

/** Creates the program's instruments. `openTurns` gives the number of turns in progress, `engine` names the engines. */
export function createMetrics(meter: Meter, engine: readonly string[], openTurns: () => number): TurnMetrics {
  const turns = meter.createCounter("voxbus_dialogue_turns", { description: "Turns by outcome" });
  const firstSentences = meter.createHistogram("voxbus_dialogue_first_sentence_seconds", {
    description: "Time from the claim of a turn to its first stored sentence",
    advice: { explicitBucketBoundaries: boundaries },
  });
  const firstTokens = meter.createHistogram("voxbus_dialogue_first_token_seconds", {
    description: "Time from the claim of a turn to its model's first token",
    advice: { explicitBucketBoundaries: boundaries },
  });
  const engineTimes = meter.createHistogram("voxbus_dialogue_engine_seconds", {
    description: "Time that an engine took for a whole answer",
    advice: { explicitBucketBoundaries: [...boundaries, 30, 60] },
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
  const tools = createToolMetrics(meter);
  meter
    .createObservableGauge("voxbus_dialogue_turns_open", { description: "Turns being answered" })
    .addCallback((result) => result.observe(openTurns()));
  startAtZero(turns, { outcome: turnOutcomes });
  startAtZero(refusedParts, { part: requestParts });
  for (const instrument of [firstSentences, firstTokens, oddTools]) startAtZero(instrument);
  for (const instrument of [engineTimes, engineFailures]) startAtZero(instrument, { engine });
  return {
    firstToken: (ms) => firstTokens.record(ms / 1000),
    firstSentence: (ms) => firstSentences.record(ms / 1000),
    engineRan({ engine, ms, failed }) {
      engineTimes.record(ms / 1000, { engine });
      if (failed) engineFailures.add(1, { engine });
    },
    modelRefused: (part) => refusedParts.add(1, { part }),
    toolFieldsLeftOut: (count) => oddTools.add(count),
    ...tools,
    observeWaiting: (waiting) => turnsWaiting.addCallback((result) => result.observe(waiting())),
    turnEnded: (outcome) => turns.add(1, { outcome }),
  };
}

/** The most tools that are told apart. The others count as "other". */
const mostNames = 100;

function createToolMetrics(meter: Meter): Pick<TurnMetrics, "toolSkipped" | "toolCalled" | "observeTools"> {
  const names = new Set<string>();
  const outcome = ["done", ...callFailures] as const;
  const nameOf = (tool: string): string => {
    if (names.has(tool)) return tool;
    if (names.size >= mostNames) return "other";
    names.add(tool);
    startAtZero(calls, { tool: [tool], outcome });
    startAtZero(times, { tool: [tool] });
    return tool;
  };
  const skipped = meter.createCounter("voxbus_dialogue_tools_skipped", {
    description: "Tools of programs that are not offered",
  });
  const calls = meter.createCounter("voxbus_dialogue_tool_calls", {
    description: "Calls of programs' tools by outcome",
  });
  const times = meter.createHistogram("voxbus_dialogue_tool_seconds", {
    description: "Time that a call of a program's tool took",
    advice: { explicitBucketBoundaries: [...boundaries, 30, 60] },
  });
  const known = meter.createObservableGauge("voxbus_dialogue_tools", { description: "Tools that programs offer" });
  startAtZero(skipped, { reason: skipReasons });
  startAtZero(calls, { tool: ["other"], outcome });
  startAtZero(times, { tool: ["other"] });
  return {
    toolSkipped: (reason) => skipped.add(1, { reason }),
    toolCalled({ tool, outcome, ms }) {
      const name = nameOf(tool);
      calls.add(1, { tool: name, outcome });
      if (ms > 0) times.record(ms / 1000, { tool: name });
    },
    observeTools: (list) =>
      known.addCallback((result) => {
        const offered = [...list()];
        offered.forEach(nameOf);
        result.observe(offered.length);
      }),
  };
}
