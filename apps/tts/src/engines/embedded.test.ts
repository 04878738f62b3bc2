import { expect, test } from "vitest";
import { createEmbeddedEngine, embeddedVoices } from "./embedded.ts";
import type { TtsEngine } from "./engine.ts";
import { collectSound, testEngine } from "./engine.suite.ts";

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
