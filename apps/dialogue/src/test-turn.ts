import type { Bus } from "@voxbus/bus";
import { silentLog } from "@voxbus/testing";
import { channels, type Presence, Profile, type Say } from "@voxbus/protocol";
import { createFences } from "@voxbus/subscriber";
import { ulid } from "ulid";
import { createDeviceTools } from "./device-tools.ts";
import type { AnswerRequest, LlmEngine } from "./engines/engine.ts";
import { createHistory } from "./history.ts";
import { createLateResults } from "./late-results.ts";
import type { EngineRun } from "./metrics.ts";
import type { BusTools } from "./tools/bus-tools.ts";
import type { Devices, TurnDeps } from "./turn-deps.ts";
import type { Delivery, TurnInput } from "./turn-input.ts";
import { answerTurn } from "./turn.ts";

const never = new AbortController().signal;

/** The options of a worker. */
export interface WorkerOptions {
  readonly engine?: LlmEngine;
  /** Several engines, in order. */
  readonly engines?: () => readonly LlmEngine[];
  readonly presenceOf?: Devices["presenceOf"];
  readonly follow?: Devices["follow"];
  readonly answerMs?: number;
  readonly momentMs?: number;
  readonly toolMomentMs?: number;
  readonly busTools?: BusTools;
  readonly admission?: TurnDeps["admission"];
}

/** A worker whose engine answers with `texts`; the requests, log lines and engine runs that it collects. */
export function createWorker(bus: Bus, texts: readonly string[], options: WorkerOptions = {}) {
  const requests: AnswerRequest[] = [];
  const warnings: string[] = [];
  const runs: EngineRun[] = [];
  const waits: boolean[] = [];
  const engine: LlmEngine = {
    name: "test",
    async *respond(request) {
      requests.push(request);
      for (const text of texts) yield { type: "text", text };
    },
  };
  const deps: TurnDeps = {
    bus,
    log: { ...silentLog, warn: (_, message) => warnings.push(message) },
    metrics: {
      firstToken: () => undefined,
      firstSentence: () => undefined,
      engineRan: (run) => runs.push(run),
      turnEnded: () => undefined,
      modelRefused: () => undefined,
      toolFieldsLeftOut: () => undefined,
      toolSkipped: () => undefined,
      toolCalled: () => undefined,
      observeTools: () => undefined,
      observeWaiting: () => undefined,
    },
    settings: {
      answerMs: options.answerMs ?? 1000,
      momentMs: options.momentMs ?? 0,
      toolMomentMs: options.toolMomentMs ?? 0,
      deadlineMs: 1500,
      traceContent: false,
    },
    fences: createFences(),
    admission: options.admission ?? { enter: async () => ({ begun: () => undefined, leave: () => undefined }) },
    devices: {
      profileOf: () => Profile.parse({}),
      presenceOf: options.presenceOf ?? (async () => ({ features: {} }) as Presence),
      follow: options.follow ?? (() => ({ close: () => undefined })),
      tools: createDeviceTools(bus, { timeoutMs: 1000, listMs: 1000 }),
      busTools: options.busTools ?? {
        sourceOf: () => ({ list: [], make: () => Promise.reject(new Error("no tools")) }),
      },
    },
    history: createHistory(bus),
    late: createLateResults(),
    enginesOf: options.engines ?? (() => [options.engine ?? engine]),
  };
  const answer = (input: TurnInput) =>
    answerTurn(input, deps, { onStart: () => undefined, onWait: (isWaiting) => waits.push(isWaiting) }, never);
  const fence = (session: string, seq: number) =>
    deps.fences.handle({
      session,
      seq: seq + 1,
      at: 0,
      kind: "control",
      body: { type: "fence", fence: seq },
    });
  return { answer, fence, requests, warnings, runs, waits };
}

/** The first delivery of a turn. */
export const delivery: Delivery = {
  attempt: 1,
  storedAt: Date.now(),
  final: false,
  claimedAt: performance.now(),
  trace: {},
};
/** Makes the input of a turn of a new device. */
export function createInput(rest: Partial<TurnInput> = {}): TurnInput {
  const session = ulid();
  return { device: `test-${session}`, session, origin: 10, text: "hi", delivery, ...rest };
}

/** Reads the sentences that were stored for a device. */
export async function readSays(bus: Bus, device: string): Promise<readonly Say[]> {
  const stored = await Promise.all(
    [channels.sayOpen(device), channels.say(device)].map((subject) => bus.stored(subject, 100)),
  );
  return stored.flatMap(({ messages }) => messages);
}

/** Reads the texts of the sentences that were stored for a device, with their marks. */
export async function readTexts(bus: Bus, device: string) {
  return (await readSays(bus, device)).map(({ text, last }) => [text, last]);
}
