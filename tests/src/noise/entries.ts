import type { Bus } from "@voxbus/bus";
import { soundKinds } from "./corpus.ts";
import { measureNoise, measurePauses, measureRecognition, pauseSettings, phraseSets } from "./measure.ts";

/** The tables of docs/reliability.md, with their heads. */
export const heads = {
  noise: ["sound", "transcripts that act, an hour", "barge-ins that fence, an hour", "turns begun, an hour"],
  recognition: ["phrases", "right", "wrong", "not recognized"],
  pauses: [
    "pauses (ms): after a whole command / else / after its beginning",
    "delay, median ms",
    "delay, max ms",
    "split by 300 ms",
    "split by 500 ms",
    "split by 700 ms",
    "split by 900 ms",
  ],
} as const;

/** One measurement. */
export interface NoiseEntry {
  readonly name: string;
  readonly table: keyof typeof heads;
  readonly quick?: boolean;
  /** Measures, and returns rows of the table. Sounds last `seconds` at each level. */
  readonly run: (bus: Bus, seconds: number) => Promise<readonly (readonly string[])[]>;
}

/** Every measurement. */
export const entries: readonly NoiseEntry[] = [
  ...soundKinds.map((kind): NoiseEntry => ({
    name: kind,
    table: "noise",
    async run(bus, seconds) {
      const { acts, fences, turns, heardMs } = await measureNoise(bus, kind, seconds);
      const anHour = (count: number) => String(Math.round((count * 3_600_000) / heardMs));
      return [[kind, anHour(acts), anHour(fences), anHour(turns)]];
    },
  })),
  ...phraseSets.map((set): NoiseEntry => ({
    name: set.name,
    table: "recognition",
    async run(bus) {
      const rows = await measureRecognition(bus, set);
      return rows.map(({ noise, right, wrong, all }) => {
        return [`${set.name}, ${noise}`, `${right} of ${all}`, String(wrong), String(all - right - wrong)];
      });
    },
  })),
  ...pauseSettings.map((setting): NoiseEntry => {
    const name = `${setting.wholePauseMs} / ${setting.pauseMs} / ${setting.begunPauseMs}`;
    return {
      name,
      table: "pauses",
      async run(bus) {
        const { delays, split, all } = await measurePauses(bus, setting);
        const [median, most] = [delays[delays.length >> 1], delays.at(-1)].map((ms) => String(ms ?? "-"));
        return [[name, median!, most!, ...split.map((count) => `${count} of ${all}`)]];
      },
    };
  }),
];
