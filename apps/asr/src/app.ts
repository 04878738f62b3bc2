import { createClaimBudget } from "@voxbus/bus";
import { checkEntryTimes, createEngineSet, type EngineSet } from "@voxbus/engines";
import { observePools } from "@voxbus/pools";
import { channels, defaultPorts, type Profile } from "@voxbus/protocol";
import { checkAll, checkLimits, ConfigError, type Context, type Program } from "@voxbus/subscriber";
import { asrConfig, countThreads, type AsrConfig } from "./config.ts";
import type { AsrEngine } from "./engines/engine.ts";
import { createEngine, nameEngines, nameUsual } from "./engines/registry.ts";
import { probeEngine, watchEngine } from "./engines/watch.ts";
import { createFrontEnds, maxListensPerThread } from "./front-ends.ts";
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
  const threads = countThreads(config);
  report({
    threads: 1 + threads.frontEnd + threads.recognizer,
    gauges: () => ({ maxListens: config.VOXBUS_ASR_LISTENS, enginesUnusable: engines.unusable() }),
  });
  const frontEnds = createFrontEnds({ listens: config.VOXBUS_ASR_LISTENS, threads: threads.frontEnd, log });
  defer(() => frontEnds.pool.close());
  await frontEnds.pool.ready();
  const pools = [frontEnds.pool, ...engines.engines].map(({ recorder }) => recorder);
  report({ pools: () => pools.map((pool) => pool.stats()) });
  observePools(meter, () => pools);

  await warm((signal) => warmUp({ config, frontEnds: frontEnds.pool, log }, signal));

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

/** Throws ConfigError if the front-end threads would hold more listens than fit. */
function checkListens(config: AsrConfig): void {
  const listens = config.VOXBUS_ASR_LISTENS;
  const most = maxListensPerThread * countThreads(config).frontEnd;
  if (listens <= most) return;
  throw new ConfigError([
    `VOXBUS_ASR_LISTENS: expected at most ${most} (${maxListensPerThread} for each of VOXBUS_ASR_FRONT_END_THREADS), got ${listens}`,
  ]);
}
