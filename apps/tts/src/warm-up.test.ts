import { silentLog, startModelServer } from "@voxbus/testing";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { ttsConfig } from "./config.ts";
import { createPreferredEngines } from "./engines/preference.ts";
import { createSentenceSpeaker, type SentenceSpeaker } from "./sentence-speaker.ts";
import { warmUp } from "./warm-up.ts";

const never = new AbortController().signal;

async function createSpeaker(variables: object) {
  const config = z.object(ttsConfig).parse(variables);
  const preferred = await createPreferredEngines(config, silentLog);
  const counted: string[] = [];
  const metrics = {
    engineFailed: () => counted.push("failed"),
    synthesized: () => counted.push("synthesized"),
    cacheAsked: () => counted.push("asked"),
  };
  const speaker = await createSentenceSpeaker({ ...preferred, log: silentLog, metrics, threads: 1 });
  onTestFinished(async () => {
    await speaker.close();
    await Promise.all(preferred.engines.map((engine) => engine.close()));
  });
  let packets = 0;
  const counting: SentenceSpeaker = {
    ...speaker,
    async *rehearse(...request) {
      for await (const packet of speaker.rehearse(...request)) {
        packets += 1;
        yield packet;
      }
    },
  };
  const deps = { config, speaker: counting, engine: preferred.engines[0]!, log: silentLog };
  return { deps, counted, packets: () => packets };
}

test("warm-up: the embedded engine speaks, and nothing of it is counted", async () => {
  const { deps, counted, packets } = await createSpeaker({});
  await warmUp(deps, never);
  expect(packets()).toBeGreaterThan(50);
  expect(counted).toEqual([]);
});

test("warm-up: a speech server is not asked, a stand-in is", async () => {
  const server = await startModelServer({ speak: () => 500 });
  onTestFinished(() => server.close());
  for (const format of ["wav", "pcm", "opus"]) {
    const { deps, counted, packets } = await createSpeaker({
      VOXBUS_TTS_ENGINE: "openai",
      VOXBUS_TTS_URL: server.url,
      VOXBUS_TTS_FORMAT: format,
      VOXBUS_TTS_SAMPLE_RATE: "24000",
    });
    await warmUp(deps, never);
    expect(packets()).toBe(60);
    expect(counted).toEqual([]);
  }
  expect(server.requests.speech).toEqual([]);
});

test("warm-up: an abort ends it with its reason", async () => {
  const { deps } = await createSpeaker({});
  const stop = new AbortController();
  const reason = new Error("too long");
  const warmed = warmUp(deps, stop.signal);
  stop.abort(reason);
  await expect(warmed).rejects.toBe(reason);
});
