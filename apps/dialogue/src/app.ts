import { createClaimBudget } from "@voxbus/bus";
import { awaitPresence, watchPresence, watchSessions } from "@voxbus/presence";
import { observePools, usualWaiting } from "@voxbus/pools";
import { channels, defaultPorts } from "@voxbus/protocol";
import {
  describeCause,
  signalWork,
  type Bus,
  type Closer,
  type Context,
  type Log,
  type Program,
} from "@voxbus/subscriber";
import { announce } from "./announce.ts";
import { claimTurns, type AnswerInput } from "./claims.ts";
import { checkConfig, dialogueConfig } from "./config.ts";
import { createDeviceTools, type DeviceTools } from "./device-tools.ts";
import { createEngineChoice } from "./engines/engine-choice.ts";
import { engines, type EngineReports } from "./engines/registry.ts";
import { createFences } from "./fences.ts";
import { createHistory } from "./history.ts";
import { createMetrics, type TurnMetrics } from "./metrics.ts";
import { recordPlayedTurns } from "./played-turns.ts";
import { openReminderBook } from "./reminders.ts";
import { createTurnAdmission, type TurnAdmission } from "./turn-admission.ts";
import type { TurnDeps } from "./turn-deps.ts";
import { createTurnQueue } from "./turn-queue.ts";
import { traceTurn } from "./turn-span.ts";
import { answerTurn } from "./turn.ts";
import { warmUp } from "./warm-up.ts";

/** The program: its name, its operations port and its variables. */
export const dialogue: Program<typeof dialogueConfig> = {
  name: "dialogue",
  opsPort: defaultPorts.dialogue.ops,
  config: dialogueConfig,
  streams: [
    "DEVICE_IN",
    "TURNS",
    "gateways",
    "presence",
    "profiles",
    "dialogues",
    "tools",
    "tool-calls",
    "reminders",
    "naks",
    "probes",
  ],
  checkConfig,
};

// A drain lets answers finish. The process must end within 30 s of SIGTERM, and within 5 s of SIGINT.
const graceMs = { drain: 20_000, quick: 500 } as const;
const presenceMs = 3000;

/** Builds dialogue: it claims transcripts and typed text, and stores the sentences of the answers. */
export async function buildDialogue(context: Context<typeof dialogueConfig>): Promise<void> {
  const { config, bus, profiles: openProfiles, log, meter, defer, drain } = context;
  if (config.VOXBUS_LLM_URL !== undefined && config.VOXBUS_LLM_ENGINE !== "openai")
    log.warn({ variable: "VOXBUS_LLM_URL", engine: config.VOXBUS_LLM_ENGINE }, "URL set for another engine");
  const profiles = await openProfiles({ llm: Object.keys(engines) });
  const presence = await watchPresence(bus);
  defer(() => presence.close());
  const sessions = watchSessions(bus, presence);
  defer(() => sessions.close());

  const fences = createFences();
  const metrics = createMetrics(meter, () => bus.stats().held);
  const tools = createDeviceTools(bus, {
    timeoutMs: config.VOXBUS_DIALOGUE_TOOL_MS,
    listMs: config.VOXBUS_DIALOGUE_TOOL_LIST_MS,
    vision: config.VOXBUS_VISION_URL ? { url: config.VOXBUS_VISION_URL, token: config.VOXBUS_VISION_TOKEN } : undefined,
    onLeftOut({ device, session }, paths) {
      metrics.toolFieldsLeftOut(paths.length);
      log.warn({ device, session, fields: paths.slice(0, 16), count: paths.length }, "odd fields of tools left out");
    },
  });
  const controls = bus.subscribe(channels.inControl("*"), (frame) => {
    fences.handle(frame);
    tools.handle(frame);
  });
  defer(() => controls.close());
  const opened = listNewTools(bus, tools, log);
  defer(() => opened.close());
  const reminders = openReminderBook({
    bus,
    announce: (reminder, id) => announce(bus, reminder, id),
    log,
  });
  defer(() => reminders.close());

  const admission = admitTurns(context);
  metrics.observeWaiting(() => admission.waiting());
  const history = createHistory(bus, config.VOXBUS_DIALOGUE_HISTORY_TOKENS);
  const played = recordPlayedTurns(bus, history);
  defer(() => played.close());

  const deps: TurnDeps = {
    bus,
    log,
    metrics,
    settings: {
      answerMs: config.VOXBUS_DIALOGUE_TURN_MS,
      momentMs: config.VOXBUS_DIALOGUE_MOMENT_MS,
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
      reminders,
    },
    history,
    engineOf: await createEngines(context, metrics, admission),
  };
  await context.warm((signal) => warmUp(config, signal));
  const slots = createClaimBudget(config.VOXBUS_DIALOGUE_TURNS, admission.room);
  for (const claims of await claimTurns(bus, slots, createAnswer(deps))) {
    drain((mode) => claims.drain(graceMs[mode]));
  }
}

/** Creates the engines and gives the choice among them. Their pools are in the report and in the metrics. */
async function createEngines(
  context: Context<typeof dialogueConfig>,
  metrics: TurnMetrics,
  admission: Pick<TurnAdmission, "waiting">,
): Promise<TurnDeps["engineOf"]> {
  const { engines, engineOf } = await createEngineChoice(context.config, reportRefusals(context, metrics, admission));
  const pools = engines.flatMap(({ pool }) => pool ?? []);
  context.report({ pools: () => pools.map((pool) => pool.stats()) });
  observePools(context.meter, () => pools.map(({ recorder }) => recorder));
  return engineOf;
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

/** Reports once what a model's server refuses, and once that it takes it again. */
function reportRefusals(
  { config, log, report }: Pick<Context<typeof dialogueConfig>, "config" | "log" | "report">,
  metrics: TurnMetrics,
  admission: Pick<TurnAdmission, "waiting">,
): EngineReports {
  const model = config.VOXBUS_LLM_MODEL;
  let toolsRefused = 0;
  report({ gauges: () => ({ toolsRefused, waiting: admission.waiting() }) });
  return {
    onRefused({ part, status }) {
      if (part === "tools") toolsRefused = 1;
      metrics.modelRefused(part);
      log.warn({ part, status, model }, "part of requests refused by the model's server");
    },
    onTaken(part) {
      if (part === "tools") toolsRefused = 0;
      log.info({ part, model }, "part of requests taken by the model's server again");
    },
  };
}

/** Asks each new device for its tools, in one dialogue, so that they are known when the user speaks. */
function listNewTools(bus: Bus, tools: DeviceTools, log: Log): Closer {
  return bus.subscribe(
    channels.inControl("*"),
    ({ session, body }, { device }) => {
      if (body.type !== "opened" || body.features.mcp !== true) return;
      tools
        .list({ device, session })
        .catch((error: unknown) => log.debug({ cause: describeCause(error), device }, "tool list failed"));
    },
    { queue: "dialogue" },
  );
}

/** Answers the turns of a device one after the other, each in a span. */
function createAnswer(deps: TurnDeps): AnswerInput {
  const queue = createTurnQueue();
  return async (input, claimed) => {
    const { device, session, origin } = input;
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
