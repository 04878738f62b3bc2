import { createClaimBudget } from "@voxbus/bus";
import { createEngineSet, noEngine, type EngineSet } from "@voxbus/engines";
import { awaitPresence, watchPresence, watchSessions } from "@voxbus/presence";
import { observePools, usualWaiting } from "@voxbus/pools";
import { channels, defaultPorts } from "@voxbus/protocol";
import {
  createFences,
  describeCause,
  signalWork,
  type Bus,
  type Closer,
  type Context,
  type Log,
  type Program,
} from "@voxbus/subscriber";
import { claimTurns, type AnswerInput } from "./claims.ts";
import { checkConfig, dialogueConfig, type DialogueConfig } from "./config.ts";
import { createDeviceTools, type DeviceTools } from "./device-tools.ts";
import { createEngine, nameEngines, nameUsual, type EngineReports } from "./engines/registry.ts";
import { probeEngine, watchEngine } from "./engines/watch.ts";
import { createHistory } from "./history.ts";
import { createLateResults } from "./late-results.ts";
import { createMetrics, type TurnMetrics } from "./metrics.ts";
import { recordPlayedTurns } from "./played-turns.ts";
import { createBusTools, type BusTools } from "./tools/bus-tools.ts";
import type { LlmEngine } from "./engines/engine.ts";
import type { MostCalls } from "./tools/call-limit.ts";
import { createCallRecords, refusedCalls, type CallRecords } from "./tools/call-records.ts";
import { createStoredLists } from "./tool-lists.ts";
import { openToolDirectory } from "./tools/directory.ts";
import { createTurnAdmission, type TurnAdmission } from "./turn-admission.ts";
import type { TurnDeps } from "./turn-deps.ts";
import { createTurnQueue } from "./turn-queue.ts";
import { traceTurn } from "./turn-span.ts";
import { answerTurn } from "./turn.ts";
import { tryEngines } from "./try-engines.ts";
import { warmUp } from "./warm-up.ts";

/** The program: its name, its operations port and its variables. */
export const dialogue: Program<typeof dialogueConfig> = {
  name: "dialogue",
  version: "0.1.0",
  opsPort: defaultPorts.dialogue.ops,
  config: dialogueConfig,
  shadow: [channels.sayOpen.pattern, channels.say.pattern],
  streams: [
    "DEVICE_IN",
    "TURNS",
    "gateways",
    "presence",
    "profiles",
    "dialogues",
    "tools",
    "tool-calls",
    "naks",
    "probes",
  ],
  checkConfig,
  tryEngines,
};

// A drain lets answers finish. The process must end within 30 s of SIGTERM, and within 5 s of SIGINT.
const graceMs = { drain: 20_000, quick: 500 } as const;
const presenceMs = 3000;

/** Builds dialogue: it claims transcripts and typed text, and stores the sentences of the answers. */
export async function buildDialogue(context: Context<typeof dialogueConfig>): Promise<void> {
  const { config, bus, profiles: openProfiles, log, meter, defer, drain } = context;
  if (config.VOXBUS_LLM_URL !== undefined && config.VOXBUS_LLM_ENGINE !== "openai")
    log.warn({ variable: "VOXBUS_LLM_URL", engine: config.VOXBUS_LLM_ENGINE }, "URL set for another engine");
  const names = nameEngines(config);
  const profiles = await openProfiles({ llm: [...names, noEngine] });
  const presence = await watchPresence(bus);
  defer(() => presence.close());
  const sessions = watchSessions(bus, presence);
  defer(() => sessions.close());

  const fences = createFences();
  const metrics = createMetrics(meter, names, () => bus.stats().held);
  const records = context.shadow !== undefined ? refusedCalls : createCallRecords(bus);
  const tools = openDeviceTools(context, metrics, records);
  const controls = bus.subscribe(channels.inControl("*"), (frame) => {
    fences.handle(frame);
    tools.handle(frame);
  });
  defer(() => controls.close());
  const busTools = openBusTools(context, metrics, records);
  const admission = admitTurns(context);
  metrics.observeWaiting(() => admission.waiting());
  const engines = openEngines(context, metrics, admission);
  const history = createHistory(bus, config.VOXBUS_DIALOGUE_HISTORY_TOKENS);
  const played = recordPlayedTurns(bus, history);
  defer(() => played.close());
  const late = createLateResults();

  const deps: TurnDeps = {
    bus,
    log,
    metrics,
    settings: {
      answerMs: config.VOXBUS_DIALOGUE_TURN_MS,
      momentMs: config.VOXBUS_DIALOGUE_MOMENT_MS,
      toolMomentMs: config.VOXBUS_DIALOGUE_TOOL_MOMENT_MS,
      deadlineMs: config.VOXBUS_TURN_DEADLINE_MS,
      traceContent: config.VOXBUS_TRACE_CONTENT,
    },
    fences,
    admission,
    devices: {
      profileOf: (device) => profiles.of(device),
      presenceOf: ({ device, session }, signal) =>
        awaitPresence(presence, { device, session, timeoutMs: presenceMs }, signal),
      follow: sessions.follow,
      tools,
      busTools,
    },
    history,
    late,
    enginesOf: (profile) => engines.choose(profile.engines.llm),
  };
  await context.warm((signal) => warmUp(config, signal));
  const slots = createClaimBudget(config.VOXBUS_DIALOGUE_TURNS, admission.room);
  const claims = await claimTurns(bus, slots, createAnswer(deps));
  drain(
    async (mode) => {
      const until = performance.now() + graceMs[mode];
      await Promise.all(claims.map((one) => one.drain(graceMs[mode])));
      await late.settle(Math.max(0, until - performance.now()));
    },
    () => ({ claims: claims.reduce((sum, one) => sum + one.held(), 0), calls: late.count() }),
  );
}

/** Opens the tools of devices. The real dialogue asks each new device for them; a shadow reads what that has stored. */
function openDeviceTools(
  { config, bus, log, shadow, defer }: Context<typeof dialogueConfig>,
  metrics: TurnMetrics,
  records: CallRecords,
): DeviceTools {
  const listMs = config.VOXBUS_DIALOGUE_TOOL_LIST_MS;
  const tools = createDeviceTools(bus, {
    records,
    lists: shadow === undefined ? undefined : createStoredLists(bus, listMs),
    timeoutMs: config.VOXBUS_DIALOGUE_TOOL_MS,
    listMs,
    vision: config.VOXBUS_VISION_URL ? { url: config.VOXBUS_VISION_URL, token: config.VOXBUS_VISION_TOKEN } : undefined,
    onLeftOut({ device, session }, paths) {
      metrics.toolFieldsLeftOut(paths.length);
      log.warn({ device, session, fields: paths.slice(0, 16), count: paths.length }, "odd fields of tools left out");
    },
  });
  if (shadow === undefined) {
    const opened = listNewTools(bus, tools, log);
    defer(() => opened.close());
  }
  return tools;
}

/** Watches the tools that programs offer, and calls them. */
function openBusTools(
  { config, bus, log, report, defer }: Context<typeof dialogueConfig>,
  metrics: TurnMetrics,
  records: CallRecords,
): BusTools {
  const directory = openToolDirectory(bus, {
    log,
    onSkipped({ reason }, error) {
      metrics.toolSkipped(reason);
      if (bus.connected()) bus.publish(channels.error(dialogue.name), error);
    },
  });
  defer(() => directory.close());
  report({ badMessages: directory.skipped });
  metrics.observeTools(directory.toolNames);
  return createBusTools({
    bus,
    directory,
    records,
    timeoutMs: config.VOXBUS_DIALOGUE_TOOL_MS,
    most: limitCalls(config),
    onCall: metrics.toolCalled,
  });
}

/** Limits the calls that run at once. A turn waits for its calls, so one slow program gets at most half of all turns. */
function limitCalls(config: DialogueConfig): MostCalls {
  const { VOXBUS_DIALOGUE_TOOL_CALLS: all, VOXBUS_DIALOGUE_CALLS_PER_TOOL: perTool } = config;
  return { all, perTool, perProgram: Math.max(1, Math.floor(Math.min(all, config.VOXBUS_DIALOGUE_TURNS) / 2)) };
}

/** Creates the engines. Their pools and their state are in the report and in the metrics. */
function openEngines(
  { config, log, meter, report, defer }: Context<typeof dialogueConfig>,
  metrics: TurnMetrics,
  admission: Pick<TurnAdmission, "waiting">,
): EngineSet<LlmEngine> {
  const refusals = createRefusals(log, metrics);
  const engines = createEngineSet({
    engines: nameEngines(config).map((name) => createEngine(name, config, refusals.reportsOf(name))),
    usual: nameUsual(config),
    watch: watchEngine,
    probe: probeEngine,
    log,
    meter,
  });
  defer(() => engines.close());
  const pools = engines.engines.flatMap(({ pool }) => pool ?? []);
  observePools(meter, () => pools.map(({ recorder }) => recorder));
  report({
    pools: () => pools.map((pool) => pool.stats()),
    gauges: () => ({
      toolsRefused: Number(refusals.ofTools() > 0),
      waiting: admission.waiting(),
      enginesUnusable: engines.unusable(),
    }),
  });
  return engines;
}

/** Creates the admission of turns. At most half of the turns that this process takes wait, so that others can run. */
function admitTurns({ config, bus, defer }: Context<typeof dialogueConfig>): TurnAdmission {
  const admission = createTurnAdmission(bus, {
    deadlineMs: config.VOXBUS_TURN_DEADLINE_MS,
    patienceMs: config.VOXBUS_TURN_PATIENCE_MS,
    most: Math.min(usualWaiting.high, Math.ceil(config.VOXBUS_DIALOGUE_TURNS / 2)),
  });
  defer(() => admission.close());
  return admission;
}

/** Reports once what the server of an engine's model refuses, and once that it takes it again. */
function createRefusals(log: Log, metrics: TurnMetrics) {
  const refusing = new Set<string>();
  return {
    /** The number of engines whose servers refuse tools. */
    ofTools: () => refusing.size,
    reportsOf: (engine: string): EngineReports => ({
      onRefused({ part, status }) {
        if (part === "tools") refusing.add(engine);
        metrics.modelRefused(part);
        log.warn({ part, status, engine }, "part of requests refused by the model's server");
      },
      onTaken(part) {
        if (part === "tools") refusing.delete(engine);
        log.info({ part, engine }, "part of requests taken by the model's server again");
      },
    }),
  };
}

/** Asks each new device for its tools, in one dialogue, so that they are known when the user speaks. */
function listNewTools(bus: Bus, tools: DeviceTools, log: Log): Closer {
  return bus.subscribe(
    channels.inControl("*"),
    ({ session, body }, { device }) => {
      // A device that is idle may stay so for days. It is asked when a conversation begins.
      if (body.type !== "opened" || body.features.mcp !== true || body.audio === "closed") return;
      tools
        .list({ device, session })
        .catch((error: unknown) => log.debug({ cause: describeCause(error), device }, "tool list failed"));
    },
    { queue: "dialogue" },
  );
}

/** Answers the turns of a device one after the other, each in a span. Turns that another program answers are left to it. */
function createAnswer(deps: TurnDeps): AnswerInput {
  const queue = createTurnQueue();
  return async (input, claimed) => {
    const { device, session, origin } = input;
    const { llm } = deps.devices.profileOf(device).engines;
    if (llm !== undefined && [llm].flat().every((name) => name === noEngine)) return deps.metrics.turnEnded("left");
    const work = signalWork(deps.bus, device, { session, origin });
    try {
      await queue.run(input, async (onStart, superseded) => {
        const alive = AbortSignal.any([claimed, superseded]);
        const events = { onStart, onWait: work.waits };
        const outcome = await traceTurn(input, (traced) => answerTurn(traced, deps, events, alive));
        deps.metrics.turnEnded(outcome);
      });
    } finally {
      work.close();
    }
  };
}
