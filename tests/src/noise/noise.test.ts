import { afterAll, beforeAll, expect, test } from "vitest";
import { silence } from "@voxbus/testing";
import { openAsr, type RunningAsr } from "./asr.ts";
import { answer, createSound, loadSample, samples, soundKinds } from "./corpus.ts";
import { hear } from "./ear.ts";

// Between "set the volume" and "to fifty" in volume.wav.
const cutAt = 17_000;

let asr: RunningAsr;

beforeAll(async () => {
  asr = await openAsr();
}, 30_000);
afterAll(() => asr.close());

test.each(soundKinds)("%s: nothing follows from them", { timeout: 60_000 }, async (kind) => {
  const sound = createSound(kind, { level: "middle", seconds: 5, seed: 3 });
  const { texts, fences, turns } = await hear(asr.bus, sound, kind === "answer" ? { answer } : {});
  expect({ texts, fences }).toEqual({ texts: [], fences: 0 });
  // These may sound like a sentence that asr does not know. The device says so if it is silent.
  if (kind !== "babble" && kind !== "music") expect(turns).toBe(0);
});

test("a command in between: acts, and fences", { timeout: 60_000 }, async () => {
  const slams = createSound("slams", { level: "middle", seconds: 5, seed: 3 });
  const command = loadSample(samples.find(({ file }) => file === "light.wav")!);
  const sound = Int16Array.from([...slams, ...silence(900), ...command, ...silence(900), ...slams]);
  const { texts, fences, turns } = await hear(asr.bus, sound, { answer });
  expect({ texts, fences, turns }).toEqual({ texts: ["turn the light on"], fences: 1, turns: 1 });
});

test("a pause for thought of 700 ms: does not split a command", { timeout: 60_000 }, async () => {
  const command = loadSample(samples.find(({ file }) => file === "volume.wav")!);
  const [first, second] = [command.slice(0, cutAt), command.slice(cutAt)];
  const sound = Int16Array.from([...silence(900), ...first, ...silence(700), ...second, ...silence(1200)]);
  expect((await hear(asr.bus, sound, { realTime: true })).texts).toEqual(["set the volume to fifty"]);
});
