import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { attenuate, createNoise, noiseLevels, readWav, type NoiseLevel } from "@voxbus/audio";
import { loadSpeech } from "@voxbus/testing";
import { root } from "../docs/markdown.ts";

/** A row of samples.json. */
interface Sample {
  readonly file: string;
  readonly text: string;
  readonly intent: string | null;
}

/** The recordings of samples/. */
export const samples: readonly Sample[] = JSON.parse(
  readFileSync(`${root}samples/samples.json`, "utf8"),
) as readonly Sample[];

/** Loads a recording of samples/. */
export function loadSample({ file }: Sample): Int16Array {
  return loadSpeech(file.replace(".wav", ""));
}

/** The kinds of sound that are not meant for the device. */
export const soundKinds = ["slams", "coughs", "hum", "clicks", "music", "babble", "keyboard", "answer"] as const;
/** The name of such a sound. */
export type SoundKind = (typeof soundKinds)[number];

/** Sentences that the device speaks. They contain commands. */
export const answer: readonly string[] = [
  "You can ask me what time it is, or what day it is.",
  "Say, set a timer for five minutes.",
  "Say, set the volume to fifty, or turn on the light.",
  "Why was the maths book sad? It had too many problems.",
  "Hello! How can I help you?",
  "Once there was a small robot who lived on top of a hill.",
  "Every morning it looked down at the village, and it wondered what the people were talking about.",
  "The timer is cancelled.",
  "That is enough. Never mind. Goodbye!",
];

/** The device's own voice in its microphone, by level [dB]. */
const echoes: Readonly<Record<NoiseLevel, number>> = { loud: -9, middle: -15, soft: -21 };

/** Makes `seconds` of a sound. The same seed gives the same samples. */
export function createSound(
  kind: SoundKind,
  options: { readonly level: NoiseLevel; readonly seconds: number; readonly seed: number },
): Int16Array {
  if (kind !== "answer") return createNoise(kind, { ...options, speech: samples.map(loadSample) });
  const voice = speak(answer.join(" "), "slt");
  const sound = new Int16Array(options.seconds * 16_000);
  for (let at = 8000; at < sound.length; at += voice.length + 16_000)
    sound.set(voice.subarray(0, sound.length - at), at);
  return attenuate(sound, echoes[options.level]);
}

/** Speaks a text with the embedded synthesizer. */
export function speak(text: string, voice: string): Int16Array {
  const folder = mkdtempSync(join(tmpdir(), "voxbus-noise-"));
  try {
    const file = join(folder, "speech.wav");
    execFileSync(process.execPath, [`${root}apps/tts/dist/speak.js`, text, "--voice", voice, file], {
      stdio: "ignore",
    });
    return readWav(readFileSync(file)).samples;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Lists the levels of the sounds. */
export const levels = Object.keys(noiseLevels) as readonly NoiseLevel[];
