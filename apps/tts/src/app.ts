import { availableParallelism } from "node:os";
import { awaitPresence, watchPresence } from "@voxbus/presence";
import { channels, defaultPorts } from "@voxbus/protocol";
import type { Context, Program } from "@voxbus/subscriber";
import { ttsConfig } from "./config.ts";
import { createPreferredEngines } from "./engines/preference.ts";
import { speakReply } from "./speak-reply.ts";
import { createSpeech } from "./synthesis.ts";

/** The program tts: its name, port and variables. */
export const ttsProgram: Program<typeof ttsConfig> = { name: "tts", opsPort: defaultPorts.tts.ops, config: ttsConfig };

// Held until a reply was played, so far more than speak at once; each keeps a reply's packets, at most a few 100 KB.
const slots = 1000;
// How long an announcement waits for its device.
const presenceMs = 5000;
// A drain lets replies play out; the process must be gone within 30 s of SIGTERM, and 5 s of SIGINT.
const graceMs = { drain: 20_000, quick: 0 } as const;

/** Builds tts: claims replies and announcements, and speaks them to their devices. */
export async function buildTts({
  config,
  bus,
  profiles: openProfiles,
  report,
  log,
  meter,
  defer,
  drain,
}: Context<typeof ttsConfig>): Promise<void> {
  report({ threads: availableParallelism() });
  const profiles = await openProfiles();
  const presence = await watchPresence(bus);
  defer(() => presence.close());
  const { engines, fallback } = await createPreferredEngines(config, log);
  defer(async () => void (await Promise.all(engines.map((engine) => engine.close()))));
  log.info({ engines: engines.map(({ name }) => name) }, "engines, in order of preference");

  const failures = meter.createCounter("voxbus_tts_engine_failures", { description: "Syntheses that failed" });
  const firstSound = meter.createHistogram("voxbus_tts_first_sound_ms", {
    description: "From the claim of a reply to its first packet of sound",
    advice: { explicitBucketBoundaries: [10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000] },
  });
  const engineTimes = meter.createHistogram("voxbus_tts_engine_ms", {
    description: "What an engine took for a piece of text",
    advice: { explicitBucketBoundaries: [10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000] },
  });
  const speech = await createSpeech({
    engines,
    fallback,
    threads: 1,
    synthesized: (engine, ms) => engineTimes.record(ms, { engine }),
    failed: (engine, error) => {
      failures.add(1, { engine });
      log.warn({ err: error, engine }, "a synthesizer failed");
    },
  });
  defer(() => speech.close());

  const claims = await bus.claim({
    channel: channels.sayOpen("*"),
    durable: "tts",
    slots,
    async work(claim) {
      const { device, message } = claim;
      // An announcement to nobody would be held until its gateway said something, and there is none.
      const offline =
        message.session === undefined &&
        !(await awaitPresence(presence, { device, timeoutMs: presenceMs }, claim.signal));
      if (offline) return log.warn({ device, reply: message.reply }, "an announcement found its device offline");
      await speakReply(
        {
          bus,
          speech,
          profileOf: (device) => profiles.of(device),
          onFirstSound: (ms) => firstSound.record(ms),
          onTrouble: (what, error) => log.warn({ err: error, what }, "a reply is in trouble"),
        },
        claim,
      );
    },
  });
  drain((mode) => claims.drain(graceMs[mode]));
  meter
    .createObservableGauge("voxbus_tts_replies", { description: "Replies that are spoken or still played" })
    .addCallback((result) => result.observe(claims.held()));
  meter
    .createObservableGauge("voxbus_tts_pool_requests", { description: "Pieces of text with an engine's own workers" })
    .addCallback((result) => {
      for (const { name: engine, use } of engines) {
        for (const [state, count] of Object.entries(use?.() ?? {})) result.observe(count, { engine, state });
      }
    });
}
