import { createClaimBudget } from "@voxbus/bus";
import { checkEntryTimes, createEngineSet, type EngineSet } from "@voxbus/engines";
import { observePools } from "@voxbus/pools";
import { channels, defaultPorts, type Profile } from "@voxbus/protocol";
import { checkAll, checkLimits, ConfigError, type Context, type Log, type Program } from "@voxbus/subscriber";
import { createWorkerPool, type WorkerPoolOptions } from "@voxbus/workers";
import type { AudioFrontEndContract } from "./audio-front-end-worker.ts";
import { asrConfig, type AsrConfig } from "./config.ts";
import type { AsrEngine } from "./engines/engine.ts";
import { createEngine, nameEngines, nameUsual } from "./engines/registry.ts";
import { probeEngine, watchEngine } from "./engines/watch.ts";
import { followListen } from "./listen.ts";
import { createMetrics } from "./metrics.ts";
import { tryEngines } from "./try-engines.ts";
import { warmUp } from "./warm-up.ts";

/** The program: its name, its operations port and its variables. */
export const asr: Program<typeof asrConfig> = {
  name: "asr",
  version: "0.1.0",
  opsPort: defaultPorts.asr.ops,
  config: asrConfig,
  shadow: [channels.heard.pattern],
  streams: ["DEVICE_IN", "TURNS", "profiles", "naks", "probes"],
  checkConfig(config) {
    checkAll(
      () => checkListens(config),
      () =>
        config.VOXBUS_ASR_ENGINE === "openai" &&
        checkLimits(config, [["VOXBUS_ASR_TIMEOUT_MS", "VOXBUS_ASR_TRANSCRIPT_MS"]]),
      () => checkEntryTimes(config.VOXBUS_ENGINES_FILE, "VOXBUS_ASR_TRANSCRIPT_MS", config.VOXBUS_ASR_TRANSCRIPT_MS),
    );
  },
  tryEngines,
};

// A thread has memory for this number of voice detectors.
const maxListensPerThread = 4500;
// A drain waits for open utterances. The process must end within 30 s of SIGTERM, and within 5 s of SIGINT.
const graceMs = { drain: 20_000, quick: 500 } as const;

/** Builds asr: it claims listens, recognizes their utterances, and stores the transcripts. */
export async function buildAsr({
  config,
  bus,
  profiles: openProfiles,
  report,
  log,
  meter,
  signal,
  warm,
  defer,
  drain,
}: Context<typeof asrConfig>): Promise<void> {
  if (config.VOXBUS_ASR_URL !== undefined && config.VOXBUS_ASR_ENGINE !== "openai")
    log.warn({ variable: "VOXBUS_ASR_URL", engine: config.VOXBUS_ASR_ENGINE }, "URL set for another engine");
  const engines = await openEngines(config, { log, meter, defer });
  report({
    threads: 1 + config.VOXBUS_ASR_FRONT_END_THREADS + config.VOXBUS_ASR_THREADS,
    gauges: () => ({ maxListens: config.VOXBUS_ASR_LISTENS, enginesUnusable: engines.unusable() }),
  });
  const frontEnds = createFrontEnds(config, log);
  defer(() => frontEnds.close());
  await frontEnds.ready();
  const pools = [frontEnds, ...engines.engines].map(({ recorder }) => recorder);
  report({ pools: () => pools.map((pool) => pool.stats()) });
  observePools(meter, () => pools);

  await warm((signal) => warmUp({ config, frontEnds, log }, signal));

  const names = nameEngines(config);
  const profiles = await openProfiles({ asr: names });
  const deps = {
    bus,
    log,
    metrics: createMetrics(meter, names, () => bus.stats().held),
    enginesOf: (profile: Pick<Profile, "engines">) => engines.choose(profile.engines.asr),
    frontEnds,
    profileOf: profiles.of,
    settings: {
      endMs: config.VOXBUS_ASR_END_OF_SPEECH_MS,
      maxMs: config.VOXBUS_ASR_MAX_UTTERANCE_MS,
      transcriptMs: config.VOXBUS_ASR_TRANSCRIPT_MS,
      deadlineMs: config.VOXBUS_TURN_DEADLINE_MS,
      idleMs: { open: config.VOXBUS_ASR_IDLE_MS, manual: config.VOXBUS_ASR_MANUAL_IDLE_MS },
      traceContent: config.VOXBUS_TRACE_CONTENT,
    },
    stopping: signal,
  };
  const claims = await bus.claim({
    channel: channels.inControlOpen("*"),
    durable: "asr",
    // While too many utterances wait here, another process takes new listens.
    slots: createClaimBudget(config.VOXBUS_ASR_LISTENS, () => engines.choose(undefined)[0]!.room()),
    work: (claim) => followListen(claim, deps),
  });
  drain(
    (mode) => claims.drain(graceMs[mode]),
    () => ({ claims: claims.held() }),
  );
}

/** Creates the engines. They are closed at the end. */
async function openEngines(
  config: AsrConfig,
  { log, meter, defer }: Pick<Context<typeof asrConfig>, "log" | "meter" | "defer">,
): Promise<EngineSet<AsrEngine>> {
  const created = await Promise.all(nameEngines(config).map((name) => createEngine(name, config, log)));
  defer(async () => void (await Promise.all(created.map((engine) => engine.close()))));
  const engines = createEngineSet({
    engines: created,
    usual: nameUsual(config),
    watch: watchEngine,
    probe: probeEngine,
    log,
    meter,
  });
  defer(() => engines.close());
  return engines;
}

/** Starts the threads of the audio front end. */
function createFrontEnds(config: AsrConfig, log: Log) {
  const options: WorkerPoolOptions<AudioFrontEndContract> = {
    url: new URL("../dist/threads/audio-front-end-worker.js", import.meta.url),
    size: config.VOXBUS_ASR_FRONT_END_THREADS,
    perWorker: Math.ceil(config.VOXBUS_ASR_LISTENS / config.VOXBUS_ASR_FRONT_END_THREADS),
    workerData: null,
    onLost: (err) => log.warn({ err }, "worker thread lost, replacing"),
  };
  return createWorkerPool(options, "opus-in");
}

/** Throws ConfigError if the front-end threads would hold more listens than fit. */
function checkListens({ VOXBUS_ASR_LISTENS: listens, VOXBUS_ASR_FRONT_END_THREADS: threads }: AsrConfig): void {
  const most = maxListensPerThread * threads;
  if (listens <= most) return;
  throw new ConfigError([
    `VOXBUS_ASR_LISTENS: expected at most ${most} (${maxListensPerThread} for each of VOXBUS_ASR_FRONT_END_THREADS), got ${listens}`,
  ]);
}
