import { createWorkerPool } from "@voxbus/workers";
import { channels, defaultPorts } from "@voxbus/protocol";
import type { Context, Program } from "@voxbus/subscriber";
import { asrConfig } from "./config.ts";
import { engines } from "./engines/registry.ts";
import { followListen } from "./listen.ts";
import type { ListeningContract } from "./audio-front-end-worker.ts";

/** The program asr: its name, port and variables. */
export const asrProgram: Program<typeof asrConfig> = { name: "asr", opsPort: defaultPorts.asr.ops, config: asrConfig };

// What a listening thread's voice detectors have memory for.
const maxListensPerThread = 4500;
// A drain waits for what is being said; the process must be gone within 30 s of SIGTERM, and 5 s of SIGINT.
const graceMs = { drain: 20_000, quick: 500 } as const;

/** Builds asr: claims listens, recognises what is said in them, and stores it. */
export async function buildAsr({
  config,
  bus,
  profiles: openProfiles,
  report,
  log,
  meter,
  signal,
  defer,
  drain,
}: Context<typeof asrConfig>): Promise<void> {
  const threads = config.VOXBUS_ASR_LISTENING_THREADS;
  const perWorker = Math.ceil(config.VOXBUS_ASR_LISTENS / threads);
  if (perWorker > maxListensPerThread)
    throw new Error(`VOXBUS_ASR_LISTENS: a listening thread holds ${maxListensPerThread}, not ${perWorker}`);

  report({ threads: 1 + config.VOXBUS_ASR_LISTENING_THREADS + config.VOXBUS_ASR_THREADS });
  const profiles = await openProfiles();
  const engine = await engines[config.VOXBUS_ASR_ENGINE](config);
  defer(() => engine.close());
  const url = new URL("../dist/audio-front-end-worker.js", import.meta.url);
  const listening = createWorkerPool<ListeningContract>({ url, size: threads, perWorker, workerData: null });
  defer(() => listening.close());
  await listening.ready();

  const utterances = meter.createCounter("voxbus_asr_utterances", { description: "Utterances by outcome" });
  const advice = { explicitBucketBoundaries: [10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000] };
  const transcripts = meter.createHistogram("voxbus_asr_transcript_ms", {
    description: "From the detected end of speech to the stored transcript",
    advice,
  });
  const engineTimes = meter.createHistogram("voxbus_asr_engine_ms", {
    description: "What the engine took after the end of speech",
    advice,
  });
  const engineFailures = meter.createCounter("voxbus_asr_engine_failures", {
    description: "Recognitions that failed",
  });
  const refused = meter.createCounter("voxbus_asr_refused_packets", { description: "Packets that are no Opus" });

  const claims = await bus.claim({
    channel: channels.inControlOpen("*"),
    durable: "asr",
    slots: config.VOXBUS_ASR_LISTENS,
    work: (claim) =>
      followListen(claim, {
        bus,
        engine,
        openListening: (request, signal) => listening.open(request, signal),
        languageOf: (device) => profiles.of(device).language,
        endOfSpeech: { endMs: config.VOXBUS_ASR_END_OF_SPEECH_MS, maxMs: config.VOXBUS_ASR_MAX_UTTERANCE_MS },
        stopping: signal,
        onRefused: (code) => refused.add(1, { code }),
        measure(outcome, ms) {
          utterances.add(1, { outcome });
          if (outcome !== "discarded") transcripts.record(ms, { engine: engine.name });
        },
        recognised(ms, failed) {
          engineTimes.record(ms, { engine: engine.name });
          if (failed) engineFailures.add(1, { engine: engine.name });
        },
        traceContent: config.VOXBUS_TRACE_CONTENT,
        onTrouble: (error) => log.warn({ err: error }, "an utterance could not be recognised"),
      }),
  });
  drain((mode) => claims.drain(graceMs[mode]));
  meter
    .createObservableGauge("voxbus_asr_listens", { description: "Devices listened to" })
    .addCallback((result) => result.observe(claims.held()));
  meter
    .createObservableGauge("voxbus_asr_pool_requests", { description: "Utterances with the embedded recognisers" })
    .addCallback((result) => {
      for (const [state, count] of Object.entries(engine.use?.() ?? {})) result.observe(count, { state });
    });
}
