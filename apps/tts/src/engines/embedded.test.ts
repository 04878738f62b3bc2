import { silentLog } from "@voxbus/testing";
import { expect, test } from "vitest";
import { z } from "zod";
import { ttsConfig } from "../config.ts";
import { createEmbeddedEngine, embeddedVoices } from "./embedded.ts";
import type { TtsEngine } from "./engine.ts";
import { collectSound, testEngine } from "./engine.suite.ts";
import { engines } from "./registry.ts";

testEngine("embedded", {
  create: () => createEmbeddedEngine({ threads: 1 }),
  speed: true,
  speaks: [{ text: "It is 7:30, isn't it? 42 + 1 = 43." }, { text: "Crème brûlée.", language: "en-GB" }],
  leaves: [
    { text: "今天天气很好" },
    { text: "The word 你好 means hello." },
    { text: "Guten Tag", language: "de-DE" },
    { text: "привет" },
  ],
});

test("embedded: every voice speaks at 16 kHz, each in its own way", async () => {
  const engine = await createEmbeddedEngine({ threads: 1 });
  const sounds = new Set<string>();
  for (const voice of embeddedVoices) {
    const { sampleRate, samples } = await collectSound(
      engine.synthesize({ text: "Hello.", voice }, new AbortController().signal),
    );
    expect(sampleRate).toBe(16_000);
    sounds.add(samples.join());
  }
  expect(sounds.size).toBe(embeddedVoices.length);
  await engine.close();
});

test("embedded: an unknown default voice is rejected by name", async () => {
  await expect(createEmbeddedEngine({ threads: 1, voice: "alloy" })).rejects.toThrow("no voice alloy");
});

test("embedded: a stand-in loads nothing until it is asked, and then speaks as any other", async () => {
  const countPorts = () => process.getActiveResourcesInfo().filter((name) => name === "MessagePort").length;
  const before = countPorts();
  const standIn = await createEmbeddedEngine({ threads: 1, standIn: true });
  expect(countPorts()).toBe(before);
  const ready = await createEmbeddedEngine({ threads: 1 });
  expect(countPorts()).toBeGreaterThan(before);
  const never = new AbortController().signal;
  const hear = (engine: TtsEngine) => collectSound(engine.synthesize({ text: "Hello." }, never));
  expect((await hear(standIn)).samples).toEqual((await hear(ready)).samples);
  await Promise.all([ready.close(), standIn.close()]);
});

test("embedded: in tts a person comes before announcements, and no more wait than may", async () => {
  const config = z.object(ttsConfig).parse({ VOXBUS_TTS_ENGINE_THREADS: "1", VOXBUS_TTS_WAITING: "1,1,0" });
  const engine = await engines.embedded(config, silentLog);
  const spoken: string[] = [];
  const speak = async (device: string, priority: "high" | "normal") => {
    const turn = { device, priority, isLater: false };
    await collectSound(engine.synthesize({ text: "Hello.", turn }, new AbortController().signal));
    spoken.push(device);
  };
  const all = [speak("runs", "normal"), speak("announced", "normal"), speak("answered", "high")];
  await expect(speak("one too many", "high")).rejects.toMatchObject({ name: "TtsError", code: "unavailable" });
  await Promise.all(all);
  expect(spoken).toEqual(["runs", "answered", "announced"]);
  const { name, slots, work } = engine.recorder!.stats();
  expect([name, slots]).toEqual(["synthesis", 1]);
  expect(work).toMatchObject([{ priority: "high", done: 1, shed: 1 }, { priority: "normal", done: 2, waited: 1 }, {}]);
  await engine.close();
});
