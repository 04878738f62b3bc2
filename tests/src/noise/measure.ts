import { addHiss } from "@voxbus/audio";
import type { Bus } from "@voxbus/bus";
import { buckets, defaultProfile } from "@voxbus/protocol";
import { silence } from "@voxbus/testing";
import { answer, createSound, levels, loadSample, samples, speak, type SoundKind } from "./corpus.ts";
import { hear } from "./ear.ts";

/** Lets asr hear a sound at each level for `seconds`, and counts the consequences. */
export async function measureNoise(
  bus: Bus,
  kind: SoundKind,
  seconds: number,
): Promise<{ readonly acts: number; readonly fences: number; readonly turns: number; readonly heardMs: number }> {
  const sum = { acts: 0, fences: 0, turns: 0, heardMs: 0 };
  for (const level of levels) {
    const sound = createSound(kind, { level, seconds, seed: 1 });
    const { texts, fences, turns } = await hear(bus, sound, kind === "answer" ? { answer } : {});
    sum.acts += texts.length;
    sum.fences += fences;
    sum.turns += turns;
    sum.heardMs += seconds * 1000;
  }
  return sum;
}

/** Phrases with their recordings. */
interface PhraseSet {
  readonly name: string;
  readonly load: () => readonly { readonly text: string; readonly speech: Int16Array }[];
}

const known = samples.filter(({ intent }) => intent !== null);

/** The phrases that asr has to recognize. */
export const phraseSets: readonly PhraseSet[] = [
  { name: "samples", load: () => known.map((sample) => ({ text: sample.text, speech: loadSample(sample) })) },
  {
    name: "one word",
    load: () =>
      ["slt", "rms"].flatMap((voice) =>
        ["stop", "mute", "help", "hello", "goodbye"].map((text) => ({ text, speech: speak(text, voice) })),
      ),
  },
];

/** Noise below the phrases, by its name (dB). */
const snrs = { clean: 100, "20 dB": 20, "10 dB": 10, "5 dB": 5 } as const;

/** Counts of phrases at one level of noise. */
export interface RecognitionCount {
  readonly noise: string;
  readonly right: number;
  readonly wrong: number;
  readonly all: number;
}

/** Lets asr hear phrases in noise. */
export async function measureRecognition(bus: Bus, { load }: PhraseSet): Promise<readonly RecognitionCount[]> {
  const phrases = load();
  const counts: RecognitionCount[] = [];
  for (const [noise, snr] of Object.entries(snrs)) {
    let [right, wrong] = [0, 0];
    for (const [seed, { text, speech }] of phrases.entries()) {
      const sound = addHiss(Int16Array.from([...silence(1000), ...speech, ...silence(1000)]), snr, seed);
      const { texts } = await hear(bus, sound);
      if (isSame(texts, text)) right += 1;
      else if (texts.length > 0) wrong += 1;
    }
    counts.push({ noise, right, wrong, all: phrases.length });
  }
  return counts;
}

/** Pauses that end an utterance (ms): after any words, after a whole command, and after the beginning of one. */
export interface PauseSetting {
  readonly pauseMs: number;
  readonly wholePauseMs: number;
  readonly begunPauseMs: number;
}

/** The settings of the curve. In the first one all are as they were without the grammar. */
export const pauseSettings: readonly PauseSetting[] = [
  { pauseMs: 600, wholePauseMs: 600, begunPauseMs: 600 },
  { pauseMs: 400, wholePauseMs: 200, begunPauseMs: 600 },
  { pauseMs: 600, wholePauseMs: 300, begunPauseMs: 900 },
  { pauseMs: 800, wholePauseMs: 400, begunPauseMs: 1200 },
];
const thoughts = [300, 500, 700, 900];
const together = 7;

/** Delays and cut-offs with one setting. */
export interface PauseCount {
  /** Times from the end of a sentence to its transcript (ms), sorted. */
  readonly delays: readonly number[];
  /** Sentences that were split by a pause of 300, 500, 700 and 900 ms. */
  readonly split: readonly number[];
  readonly all: number;
}

/** Lets asr hear sentences with a pause for thought in them, in real time. */
export async function measurePauses(bus: Bus, setting: PauseSetting): Promise<PauseCount> {
  await bus.bucket(buckets.profiles).put(defaultProfile, setting);
  const delays = (await hearAll(bus, 0)).flatMap(({ whole, delayMs }) => (whole ? [Math.round(delayMs)] : []));
  const split: number[] = [];
  for (const thoughtMs of thoughts) split.push((await hearAll(bus, thoughtMs)).filter(({ whole }) => !whole).length);
  return { delays: delays.toSorted((a, b) => a - b), split, all: known.length };
}

/** Lets asr hear every sample with a pause in it, some of them at the same time. */
async function hearAll(bus: Bus, thoughtMs: number) {
  const heard: { readonly whole: boolean; readonly delayMs: number }[] = [];
  for (let at = 0; at < known.length; at += together) {
    const some = known.slice(at, at + together).map(async (sample) => {
      const [first, second] = splitSentence(loadSample(sample));
      const speech = Int16Array.from([...silence(900), ...first, ...silence(thoughtMs), ...second]);
      const sound = Int16Array.from([...speech, ...silence(1500)]);
      const { texts, heardAt, sentAt } = await hear(bus, sound, { realTime: true });
      return { whole: isSame(texts, sample.text), delayMs: heardAt[0]! - sentAt - speech.length / 16 };
    });
    heard.push(...(await Promise.all(some)));
  }
  return heard;
}

function isSame(texts: readonly string[], text: string): boolean {
  return texts.length === 1 && texts[0]!.replace("what's", "what is") === text;
}

/** Splits a sentence where it is quietest, in its middle third. */
function splitSentence(speech: Int16Array): readonly [Int16Array, Int16Array] {
  const step = 640;
  const power = (at: number) => speech.subarray(at, at + step).reduce((sum, sample) => sum + sample ** 2, 0);
  let best = Math.floor(speech.length / 3);
  for (let at = best; at < (speech.length * 2) / 3; at += 160) if (power(at) < power(best)) best = at;
  return [speech.slice(0, best + step / 2), speech.slice(best + step / 2)];
}
