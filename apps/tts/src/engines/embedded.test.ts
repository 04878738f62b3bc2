import { expect, test } from "vitest";
import { createEmbeddedEngine, embeddedVoices } from "./embedded.ts";
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
