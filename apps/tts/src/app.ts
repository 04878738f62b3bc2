import { availableParallelism } from "node:os";
import { createClaimBudget, StorageFullError, type Bus, type Claim } from "@voxbus/bus";
import { createAdmission, observePools, readWaiting, type Admission } from "@voxbus/pools";
import { awaitPresence, watchPresence, watchSessions, type PresenceView } from "@voxbus/presence";
import { channels, defaultPorts, maxKeptText, type Say } from "@voxbus/protocol";
import {
  createKeepMessage,
  KeptFullError,
  type Context,
  type KeepMessage,
  type Log,
  type Program,
} from "@voxbus/subscriber";
import { countReplies, createSpareReport } from "./capacity.ts";
import { checkFormat, ttsConfig, type TtsConfig } from "./config.ts";
import { createPreferredEngines } from "./engines/preference.ts";
import { watchEngines } from "./engines/watch.ts";
import { createMetrics } from "./metrics.ts";
import { createSentenceSpeaker, type SentenceSpeaker } from "./sentence-speaker.ts";
import { speakReply, type SpeakDeps } from "./speak-reply.ts";
import { tryEngines } from "./try-engines.ts";
import { warmUp } from "./warm-up.ts";

/** The program: its name, its operations port and its variables. */
export const tts: Program<typeof ttsConfig> = {
  name: "tts",
  version: "0.1.0",
  opsPort: defaultPorts.tts.ops,
  config: ttsConfig,
  streams: ["DEVICE_IN", "TURNS", "gateways", "presence", "profiles", "kept", "naks", "probes"],
  checkConfig: checkFormat,
  tryEngines,
};

// The time that an announcement waits for its device.
const presenceMs = 5000;
// A drain lets replies play out. The process must end within 30 s of SIGTERM, and within 5 s of SIGINT.
const graceMs = { drain: 20_000, quick: 0 } as const;

/** Builds tts: it claims replies and announcements, and speaks them to their devices. */
export async function buildTts({
  config,
  bus,
  profiles,
  report,
  reportSoon,
  log,
  meter,
  warm,
  defer,
  drain,
}: Context<typeof ttsConfig>): Promise<void> {
  const presence = await watchPresence(bus);
  defer(() => presence.close());
  const sessions = watchSessions(bus, presence);
  defer(() => sessions.close());
  if (config.VOXBUS_TTS_URL !== undefined && config.VOXBUS_TTS_ENGINE !== "openai")
    log.warn({ variable: "VOXBUS_TTS_URL", engine: config.VOXBUS_TTS_ENGINE }, "URL set for another engine");
  const preferred = watchEngines(await createPreferredEngines(config, log), { log, meter });
  const { set } = preferred;
  defer(async () => void (await Promise.all(set.engines.map((engine) => engine.close()))));
  defer(() => set.close());
  const names = set.engines.map(({ name }) => name);
  log.info({ engines: names }, "engines created");
  const metrics = createMetrics(meter, names, () => bus.stats().held);
  const speaker = await createSentenceSpeaker({
    ...preferred,
    order: set.order,
    log,
    metrics,
    threads: config.VOXBUS_TTS_THREADS ?? availableParallelism(),
    cacheBytes: config.VOXBUS_TTS_CACHE_MB * 1_048_576,
  });
  defer(() => speaker.close());
  const pools = [...set.engines, speaker].flatMap(({ recorder }) => recorder ?? []);
  report({ pools: () => pools.map((pool) => pool.stats()) });
  observePools(meter, () => pools);
  await warm((signal) => warmUp({ config, speaker, engine: preferred.engines[0]!, log }, signal));

  const admission = admitReplies(config, speaker, reportSoon);
  report({
    threads: availableParallelism(),
    gauges: () => ({ spare: admission.spare(), waiting: admission.waiting(), enginesUnusable: set.unusable() }),
  });
  metrics.observeAdmission(admission);

  const deps: SpeakDeps = {
    bus,
    admission,
    log,
    metrics,
    profiles: await profiles({ tts: names }),
    sessions,
    speaker,
    limits: { sentenceMs: config.VOXBUS_DIALOGUE_TURN_MS, deadlineMs: config.VOXBUS_TURN_DEADLINE_MS },
  };
  const keep = createKeepMessage(bus);
  const claims = await bus.claim({
    channel: channels.sayOpen("*"),
    durable: "tts",
    slots: createClaimBudget(config.VOXBUS_TTS_CLAIMS, admission.room),
    async work(claim) {
      if (claim.message.keepMs !== undefined) await keepAnnouncement({ bus, keep, log }, claim);
      else if (await isReachable(claim, presence)) await speakReply(claim, deps);
      else log.warn({ device: claim.device, reply: claim.message.reply }, "announcement dropped, device offline");
    },
  });
  drain(
    (mode) => claims.drain(graceMs[mode]),
    () => ({ claims: claims.held() }),
  );
}

/** Admits replies as the measured cost of their packets allows. Dialogue is told when more or fewer fit. */
function admitReplies(config: TtsConfig, speaker: Pick<SentenceSpeaker, "load">, reportSoon: () => void): Admission {
  const limits = { maxLoad: config.VOXBUS_TTS_MAX_LOAD, replies: config.VOXBUS_TTS_REPLIES };
  const noteSpare = createSpareReport(reportSoon);
  return createAdmission({
    free: (taken) => countReplies(speaker.load(), limits) - taken,
    deadlineMs: config.VOXBUS_TURN_DEADLINE_MS,
    patienceMs: config.VOXBUS_TURN_PATIENCE_MS,
    waiting: readWaiting(config.VOXBUS_TTS_REPLIES_WAITING),
    onChange: (spare, taken) => noteSpare(spare, spare + taken),
  });
}

/** Keeps an announcement, whether its device is online or not: `tools` tells it, once. */
async function keepAnnouncement(
  { bus, keep, log }: { readonly bus: Bus; readonly keep: KeepMessage; readonly log: Log },
  { device, message }: Claim<Say>,
): Promise<void> {
  const { session, origin, reply: id, text: given, emotion, language, last, keepMs = 0 } = message;
  const text = given.trim();
  const { subject } = channels.sayOpen(device);
  const isWhole = last && session === undefined && origin === undefined;
  if (!isWhole || text === "" || text.length > maxKeptText) {
    const limit = `must be of a whole announcement of 1 to ${maxKeptText} characters`;
    bus.drop(subject, "bad-envelope", { field: "keepMs", limit, message });
    log.warn({ device, reply: id, most: maxKeptText }, "announcement not kept, expected a whole one in one sentence");
    return;
  }
  try {
    await keep(device, { id, text, emotion, language, keepMs });
  } catch (error) {
    if (!(error instanceof KeptFullError || error instanceof StorageFullError)) throw error;
    bus.drop(subject, "kept-full");
    log.warn({ device, reply: id }, "announcement not kept, too many wait");
  }
}

/** Waits for the device of an announcement, whose claim would otherwise be held for a gateway that is not there. */
async function isReachable({ device, message, signal }: Claim<Say>, presence: PresenceView): Promise<boolean> {
  if (message.session !== undefined) return true;
  return (await awaitPresence(presence, { device, timeoutMs: presenceMs }, signal)) !== undefined;
}
