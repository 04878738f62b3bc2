import { createOpusDecoder } from "@voxbus/audio";
import { expect, test } from "vitest";
import { makeNoise, noiseNames } from "./noise.ts";

test.each(noiseNames)("noise: %s is audible, and not clipped", (name) => {
  const { packets, ms } = makeNoise(name);
  expect(ms).toBeGreaterThan(500);
  const decoder = createOpusDecoder({ sampleRate: 16_000 });
  const peak = Math.max(...packets.flatMap((packet) => [...decoder.decode(packet)]).map(Math.abs));
  decoder.close();
  expect(peak).toBeGreaterThan(3000);
  expect(peak).toBeLessThan(32_000);
});
