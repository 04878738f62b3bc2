import { createOpusDecoder } from "@voxbus/audio";
import type { FieldTurn } from "./device.ts";
import type { Outcome } from "./field-case.ts";

const quote = (texts: readonly string[]) =>
  texts.length === 0 ? "nothing" : texts.map((text) => `“${text}”`).join(" ");

/** Judges the sentences of a turn: exactly these. */
export function saysExactly({ said }: FieldTurn, ...expected: readonly string[]): Outcome {
  const held = said.length === expected.length && said.every((text, at) => text === expected[at]);
  return { happened: `said ${quote(said)}`, held };
}

/** Judges the transcript of a turn. */
export function hears({ heard }: FieldTurn, expected: string): Outcome {
  return { happened: `heard ${heard === undefined ? "nothing" : quote([heard])}`, held: heard === expected };
}

/** Joins judgments: held if all are. */
export function both(...outcomes: readonly Outcome[]): Outcome {
  return {
    happened: outcomes.map(({ happened }) => happened).join("; "),
    held: outcomes.every(({ held }) => held),
  };
}

/** A judgment on something else. */
export function check(happened: string, held: boolean): Outcome {
  return { happened, held };
}

/** Decodes the sound of a turn: its length in ms, and its main frequency by zero crossings, in Hz. */
export function measureSound({ packets }: FieldTurn): { readonly ms: number; readonly hz: number } {
  const rate = 24_000;
  const decoder = createOpusDecoder({ sampleRate: rate });
  const samples = packets.flatMap((packet) => [...decoder.decode(packet)]);
  decoder.close();
  const loud = samples.filter((sample) => Math.abs(sample) > 500).length;
  const crossings = samples.filter((sample, at) => at > 0 && samples[at - 1]! < 0 && sample >= 0).length;
  const first = samples.findIndex((sample) => Math.abs(sample) > 500);
  const last = samples.findLastIndex((sample) => Math.abs(sample) > 500);
  const seconds = (last - first) / rate;
  return { ms: packets.length * 60, hz: loud === 0 ? 0 : Math.round(crossings / seconds) };
}

/** Judges the sound of a turn: a tone of 440 Hz for about `ms`. */
export function plays(turn: FieldTurn, ms: number): Outcome {
  const sound = measureSound(turn);
  const held = Math.abs(sound.hz - 440) < 60 && sound.ms >= ms && sound.ms <= ms + 240;
  return { happened: `played ${sound.ms} ms at ${sound.hz} Hz`, held };
}
