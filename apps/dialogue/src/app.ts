import type { Bus, Claim } from "@voxbus/bus";
import { awaitPresence, watchPresence } from "@voxbus/presence";
import { busVersion, Heard, InControlFrame, InText, subjects, type Say } from "@voxbus/protocol";
import type { Context, Program } from "@voxbus/subscriber";
import { ulid } from "ulid";
import { dialogueConfig, type DialogueConfig } from "./config.ts";
import { createEmbeddedEngine } from "./engines/embedded.ts";
import { createOpenaiEngine } from "./engines/openai.ts";
import type { LlmEngine } from "./engines/engine.ts";
import { createFences } from "./fences.ts";
import { createHistory } from "./history.ts";
import { createMcp } from "./mcp.ts";
import { createOrder } from "./turn-queue.ts";
import { openReminderBook } from "./reminders.ts";
import { markTurn, traceTurn } from "./turn-span.ts";
import type { Said } from "./turn-input.ts";
import { takeTurn, type Means } from "./turn.ts";

/** The program dialogue: its name, port and variables. */
export const dialogueProgram: Program<typeof dialogueConfig> = {
  name: "dialogue",
  opsPort: 9103,
  config: dialogueConfig,
};

// A drain lets answers be completed; the process must be gone within 30 s of SIGTERM, and 5 s of SIGINT.
const graceMs = { drain: 20_000, quick: 500 } as const;
const listMs = 3000;
const presenceMs = 3000;
const boundaries = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/** Builds dialogue: claims what was heard and typed, and stores what is said. */
export async function buildDialogue({
  config,
  bus,
  profiles: openProfiles,
  log,
  meter,
  defer,
  drain,
}: Context<typeof dialogueConfig>): Promise<void> {
  const profiles = await openProfiles();
  const presence = await watchPresence(bus);
  defer(() => presence.close());

  const fences = createFences();
  const mcp = createMcp(bus, { timeoutMs: config.VOXBUS_DIALOGUE_TOOL_MS });
  const controls = bus.subscribe(subjects.in("*", "control"), InControlFrame, (frame) => {
    fences.take(frame);
    mcp.take(frame);
  });
  defer(() => controls.close());
  // One dialogue asks a new device for its tools, so that they are known when somebody speaks.
  const openings = bus.subscribe(
    subjects.in("*", "control"),
    InControlFrame,
    ({ session, body }, { device }) => {
      if (body.type !== "opened" || body.features["mcp"] !== true) return;
      mcp.list(device, session).catch((error: unknown) => log.debug({ err: error, device }, "no tools were listed"));
    },
    { queue: "dialogue" },
  );
  defer(() => openings.close());
  const reminders = openReminderBook(
    bus.bucket("dialogues"),
    (device, text, id) => announce(bus, device, text, id),
    (error) => log.warn({ err: error }, "a reminder is tried again"),
  );
  defer(() => reminders.close());

  const engines = createEngines(config);
  const turns = meter.createCounter("voxbus_dialogue_turns", { description: "Turns by outcome" });
  const firstSentences = meter.createHistogram("voxbus_dialogue_first_sentence_ms", {
    description: "From the claim of a turn to its first stored sentence",
    advice: { explicitBucketBoundaries: boundaries },
  });
  const firstTokens = meter.createHistogram("voxbus_dialogue_first_token_ms", {
    description: "From the claim of a turn to its model's first token",
    advice: { explicitBucketBoundaries: boundaries },
  });
  const engineTimes = meter.createHistogram("voxbus_dialogue_engine_ms", {
    description: "What an engine took for a whole answer",
    advice: { explicitBucketBoundaries: [...boundaries, 30_000, 60_000] },
  });
  const engineFailures = meter.createCounter("voxbus_dialogue_engine_failures", {
    description: "Answers that an engine did not complete",
  });
  const means: Means = {
    bus,
    fences,
    mcp,
    reminders,
    listMs,
    turnMs: config.VOXBUS_DIALOGUE_TURN_MS,
    history: createHistory(bus.bucket("dialogues")),
    engineOf: (profile) => engines[profile.engines.llm ?? ""] ?? engines[config.VOXBUS_LLM_ENGINE],
    profileOf: (device) => profiles.of(device),
    presenceOf: (device, session, signal) =>
      awaitPresence(presence, { device, session, timeoutMs: presenceMs }, signal),
    traceContent: config.VOXBUS_TRACE_CONTENT,
    onEngine(engine, ms, failed) {
      engineTimes.record(ms, { engine });
      if (failed) engineFailures.add(1, { engine });
    },
    onFailure: (error) => log.warn({ err: error }, "a turn met a failure"),
  };
  const order = createOrder();
  const take = (said: Said, claimed: AbortSignal) => {
    const began = performance.now();
    let started = false;
    return order.run(said, async (onStart, superseded) => {
      const start = () => {
        if (!started) {
          firstSentences.record(performance.now() - began);
          markTurn("first sentence");
        }
        started = true;
        onStart();
      };
      const onFirstToken = () => firstTokens.record(performance.now() - began);
      const alive = AbortSignal.any([claimed, superseded]);
      const outcome = await traceTurn(said, (said) => takeTurn(said, { ...means, onFirstToken }, start, alive));
      turns.add(1, { outcome });
    });
  };

  const about = ({ device, attempt, final, trace }: Claim<unknown>) => ({ device, attempt, final, trace });
  const common = { durable: "dialogue", slots: config.VOXBUS_DIALOGUE_TURNS };
  const heard = await bus.claim({
    ...common,
    stream: "TURNS",
    filters: [subjects.heard("*")],
    schema: Heard,
    work: (claim) => {
      const { session, origin, text, reason, language } = claim.message;
      return take({ ...about(claim), session, origin, text, reason, language }, claim.signal);
    },
  });
  drain((mode) => heard.drain(graceMs[mode]));
  const typed = await bus.claim({
    ...common,
    stream: "DEVICE_IN",
    filters: [subjects.in("*", "text")],
    schema: InText,
    work: (claim) => {
      const { session, seq, body } = claim.message;
      return take({ ...about(claim), session, origin: seq, text: body }, claim.signal);
    },
  });
  drain((mode) => typed.drain(graceMs[mode]));
  meter
    .createObservableGauge("voxbus_dialogue_turns_open", { description: "Turns being answered" })
    .addCallback((result) => result.observe(heard.held() + typed.held()));
}

function createEngines(
  config: DialogueConfig,
): Record<string, LlmEngine> & Record<DialogueConfig["VOXBUS_LLM_ENGINE"], LlmEngine> {
  return {
    embedded: createEmbeddedEngine(),
    openai: createOpenaiEngine({
      url: config.VOXBUS_LLM_URL,
      model: config.VOXBUS_LLM_MODEL,
      key: config.VOXBUS_LLM_KEY,
      firstTokenMs: config.VOXBUS_LLM_FIRST_TOKEN_MS,
      nextTokenMs: config.VOXBUS_LLM_NEXT_TOKEN_MS,
      rounds: config.VOXBUS_LLM_TOOL_ROUNDS,
    }),
  };
}

/** A device may type before the note that it is online has gone round; turns of the past have nobody to hear them. */
async function announce(bus: Bus, device: string, text: string, id: string): Promise<void> {
  const say: Say = {
    v: busVersion,
    reply: ulid(),
    attempt: 1,
    sentence: 0,
    text,
    emotion: "happy",
    language: "en",
    last: true,
  };
  await bus.store(subjects.sayOpen(device), say, { id });
}
