import { encodeUtterance, uplink, type Utterance } from "./utterance.ts";

/** Computes one sample, -1 to 1, at `t` seconds. */
type Sound = (t: number) => number;

const hiss = () => Math.random() * 2 - 1;
const tone = (hz: number, t: number) => Math.sin(2 * Math.PI * hz * t);
/** The loudness of something that is hit at each `every` seconds and fades within `fade` seconds. */
const hits = (t: number, every: number, fade: number) => Math.exp(-(t % every) / fade);

// Noises that are not speech, with their lengths in seconds.
const noises = {
  slams: { seconds: 0.6, sound: (t) => hits(t, 1, 0.08) * (0.6 * hiss() + 0.8 * tone(70, t)) },
  coughs: { seconds: 0.7, sound: (t) => hits(t, 0.35, 0.09) * (0.7 * hiss() + 0.4 * tone(180, t)) },
  clicks: { seconds: 1, sound: (t) => hits(t, 0.5, 0.004) * hiss() },
  keyboard: { seconds: 3, sound: (t) => hits(t, 0.13, 0.012) * hiss() * (0.4 + 0.6 * Math.random()) },
  hum: { seconds: 3, sound: (t) => 0.6 * tone(50, t) + 0.3 * tone(100, t) + 0.1 * tone(150, t) },
  fan: { seconds: 3, sound: hiss },
  music: {
    seconds: 4,
    sound: (t) =>
      0.3 * hits(t, 0.5, 0.4) * [262, 330, 392].reduce((sum, hz) => sum + tone(hz, t) + 0.4 * tone(2 * hz, t), 0),
  },
} as const satisfies Readonly<Record<string, { readonly seconds: number; readonly sound: Sound }>>;

export type Noise = keyof typeof noises;
/** The names of the noises. */
export const noiseNames = Object.keys(noises) as readonly Noise[];

const level = 0.4;

/** Makes a noise in packets, as loud as near speech. */
export function makeNoise(name: Noise): Utterance {
  const { seconds, sound }: { readonly seconds: number; readonly sound: Sound } = noises[name];
  const samples = Int16Array.from({ length: seconds * uplink.sampleRate }, (_, n) =>
    Math.round(32_767 * level * Math.max(-1, Math.min(1, sound(n / uplink.sampleRate)))),
  );
  return encodeUtterance({ samples, sampleRate: uplink.sampleRate });
}
