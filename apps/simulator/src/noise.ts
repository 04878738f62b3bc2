import { attenuate, createNoise, noiseKinds, type NoiseKind } from "@voxbus/audio";
import { encodeUtterance, uplink, type Utterance } from "./utterance.ts";

/** The name of a noise that needs no recordings. */
export type Noise = Exclude<NoiseKind, "babble">;
/** The names of these noises. */
export const noiseNames = noiseKinds.filter((kind): kind is Noise => kind !== "babble");

// From the loudest sample of a loud noise to that of near speech [dB].
const gain = -5;

/** Makes 3 s of a noise in packets, as loud as near speech. */
export function makeNoise(name: Noise): Utterance {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const samples = createNoise(name, { level: "loud", seconds: 3, seed, speech: [] });
  return encodeUtterance({ samples: attenuate(samples, gain), sampleRate: uplink.sampleRate });
}
