const sampleRate = 16_000;

/** Pseudo-random numbers from 0 to 1, the same for the same seed. */
type Random = () => number;
/** Adds one event of a noise to the sound, from the sample `at` on. */
type AddEvent = (sound: Float32Array, at: number, random: Random, speech: readonly Int16Array[]) => void;

/** A kind of noise: its events, and the pauses between their beginnings [ms]. */
interface Noise {
  readonly add: AddEvent;
  readonly everyMs: readonly [least: number, most: number];
}

const noises = {
  slams: { add: addSlam, everyMs: [1500, 4000] },
  coughs: { add: addCoughs, everyMs: [2500, 5000] },
  hum: { add: addHum, everyMs: [3000, 6000] },
  fan: { add: addFan, everyMs: [1000, 1000] },
  clicks: { add: addClick, everyMs: [100, 2500] },
  music: { add: addChord, everyMs: [230, 460] },
  babble: { add: addBabble, everyMs: [250, 500] },
  keyboard: { add: addTyping, everyMs: [1000, 4000] },
} as const satisfies Readonly<Record<string, Noise>>;

/** The name of a noise: a sound of a room that is not meant for a device. */
export type NoiseKind = keyof typeof noises;
/** The names of the noises. */
export const noiseKinds = Object.keys(noises) as readonly NoiseKind[];

/** The loudest sample of a noise, by level [dBFS]. */
export const noiseLevels = { loud: -3, middle: -15, soft: -27 } as const;
/** The level of a noise. */
export type NoiseLevel = keyof typeof noiseLevels;

/**
 * Makes `seconds` of a noise at 16 kHz, in a room that hisses at -65 dBFS. The same seed gives the same samples. Babble is
 * made of `speech`, played backwards.
 */
export function createNoise(
  kind: NoiseKind,
  options: {
    readonly level: NoiseLevel;
    readonly seconds: number;
    readonly seed: number;
    readonly speech: readonly Int16Array[];
  },
): Int16Array {
  const { level, seconds, seed, speech } = options;
  const random = createRandom(seed);
  const sound = new Float32Array(seconds * sampleRate);
  const { add, everyMs }: Noise = noises[kind];
  for (let ms = 500; ms < seconds * 1000; ms += between(random, ...everyMs)) {
    add(sound, Math.round((ms * sampleRate) / 1000), random, speech);
  }
  const peak = sound.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1e-9);
  return hiss(toSamples(sound, 10 ** (noiseLevels[level] / 20) / peak), -65, random);
}

/** Adds white noise to speech, so that it is `snr` dB below the speech's mean level. */
export function addHiss(speech: Int16Array, snr: number, seed: number): Int16Array {
  const power = speech.reduce((sum, sample) => sum + sample ** 2, 0) / speech.length / 32_768 ** 2;
  return hiss(speech, 10 * Math.log10(power) - snr, createRandom(seed));
}

/** Changes the level of a sound by `db`. */
export function attenuate(sound: Int16Array, db: number): Int16Array {
  return toSamples(Float32Array.from(sound), 10 ** (db / 20) / 32_768);
}

function addSlam(sound: Float32Array, at: number, random: Random): void {
  const thud = between(random, 60, 220);
  const decay = between(random, 0.05, 0.18);
  const rattle = between(random, 0.01, 0.12);
  const click = between(random, 0.2, 1);
  const lowPass = createLowPass(between(random, 500, 3000));
  const phase = between(random, 0, 6);
  for (let i = 0; i < sampleRate; i++) {
    const time = i / sampleRate;
    const body =
      Math.exp(-time / decay) * Math.sin(2 * Math.PI * thud * (1 + 0.2 * Math.exp(-time * 20)) * time + phase);
    const burst = Math.exp(-time / rattle) * lowPass(2 * random() - 1) * 3;
    const room = Math.exp(-time / (2.5 * decay)) * lowPass(2 * random() - 1) * 0.5;
    mix(sound, at + i, Math.min(1, time * 400) * (body + click * burst + room));
  }
}

function addCoughs(sound: Float32Array, at: number, random: Random): void {
  const coughs = 1 + Math.floor(random() * 3);
  const pitch = between(random, 110, 320);
  for (let cough = 0, from = at; cough < coughs; cough++, from += Math.round(between(random, 0.28, 0.5) * sampleRate)) {
    const length = between(random, 0.18, 0.32);
    const voice = between(random, 0.2, 1);
    const throat = createResonator(between(random, 500, 900), 200);
    const mouth = createResonator(between(random, 1200, 1900), 300);
    let phase = 0;
    for (let i = 0; i < length * sampleRate; i++) {
      const time = i / sampleRate;
      phase += (pitch * (1 + 0.3 * random()) * (1 - 0.4 * (time / length))) / sampleRate;
      const glottis = time > 0.06 ? voice * (1 - 2 * (phase % 1)) : 0;
      const air = (2 * random() - 1) * (time < 0.08 ? 1.5 : 0.6);
      const strength = Math.min(1, time * 100) * Math.exp((-3 * time) / length);
      mix(sound, from + i, strength * (throat(glottis + air) + 0.6 * mouth(glottis + air)));
    }
  }
}

function addHum(sound: Float32Array, at: number, random: Random): void {
  const length = between(random, 1, 5);
  const mains = random() < 0.5 ? 50 : 60;
  const harmonics = Array.from({ length: 12 }, (_, i) => between(random, 0, 1) / (i + 1));
  for (let i = 0; i < length * sampleRate; i++) {
    const time = i / sampleRate;
    const ramp = Math.min(1, time * 5, (length - time) * 5);
    const hum = harmonics.reduce((sum, share, n) => sum + share * Math.sin(2 * Math.PI * mains * (n + 1) * time), 0);
    mix(sound, at + i, ramp * (hum + 0.1 * (2 * random() - 1)));
  }
}

function addFan(sound: Float32Array, at: number, random: Random): void {
  for (let i = 0; i < sampleRate; i++) mix(sound, at + i, 2 * random() - 1);
}

function addClick(sound: Float32Array, at: number, random: Random): void {
  const ring = createResonator(between(random, 800, 5000), between(random, 100, 900));
  const length = between(random, 0.005, 0.04);
  const strength = between(random, 0.2, 1);
  for (let i = 0; i < length * sampleRate; i++) mix(sound, at + i, ring(i < 4 ? strength : 0) * 8);
}

function addChord(sound: Float32Array, at: number, random: Random): void {
  const root = 110 * 2 ** (Math.floor(random() * 24) / 12);
  const length = between(random, 0.3, 1.2);
  const notes = random() < 0.5 ? [1, 1.25, 1.5] : [1];
  const drum = random() < 0.4;
  const lowPass = createLowPass(4000);
  for (let i = 0; i < length * sampleRate; i++) {
    const time = i / sampleRate;
    let tone = 0;
    for (const note of notes) {
      for (let n = 1; n <= 5; n++)
        tone += Math.sin(2 * Math.PI * root * note * n * (1 + 0.0005 * Math.sin(35 * time)) * time) / n;
    }
    const beat = drum ? Math.exp(-time * 25) * lowPass(2 * random() - 1) * 2 : 0;
    mix(sound, at + i, Math.min(1, time * 80) * Math.exp(-time * 2.5) * tone + beat);
  }
}

function addBabble(sound: Float32Array, at: number, random: Random, speech: readonly Int16Array[]): void {
  const voice = speech[Math.floor(random() * speech.length)]!;
  const strength = between(random, 0.3, 1) / 32_768;
  voice.forEach((sample, i) => mix(sound, at + voice.length - i, strength * sample));
}

function addTyping(sound: Float32Array, at: number, random: Random): void {
  const keys = 3 + Math.floor(random() * 14);
  for (let key = 0, from = at; key < keys; key++, from += Math.round(between(random, 0.07, 0.25) * sampleRate)) {
    for (const [delay, strength] of [
      [0, 1],
      [between(random, 0.05, 0.09), 0.5],
    ] as const) {
      const cap = createResonator(between(random, 1500, 4500), 800);
      const desk = createResonator(between(random, 200, 500), 150);
      for (let i = 0; i < 0.03 * sampleRate; i++) {
        const burst = (2 * random() - 1) * Math.exp((-i / sampleRate) * 250) * strength;
        mix(sound, from + Math.round(delay * sampleRate) + i, cap(burst) + 0.5 * desk(burst));
      }
    }
  }
}

function mix(sound: Float32Array, at: number, sample: number): void {
  if (at < sound.length) sound[at]! += sample;
}

/** Creates a filter that lets frequencies below `hz` pass. */
function createLowPass(hz: number): (sample: number) => number {
  const share = 1 - Math.exp((-2 * Math.PI * hz) / sampleRate);
  let level = 0;
  return (sample) => (level += share * (sample - level));
}

/** Creates a filter that rings at `hz`, with a width of `width` Hz. */
function createResonator(hz: number, width: number): (sample: number) => number {
  const radius = Math.exp((-Math.PI * width) / sampleRate);
  const [first, second] = [2 * radius * Math.cos((2 * Math.PI * hz) / sampleRate), -(radius ** 2)];
  let [last, before] = [0, 0];
  return (sample) => {
    const next = (1 - radius) * sample + first * last + second * before;
    before = last;
    last = next;
    return next;
  };
}

function hiss(sound: Int16Array, db: number, random: Random): Int16Array {
  // Uniform noise with the peak p has the power p² / 3.
  const peak = 32_768 * 10 ** (db / 20) * Math.sqrt(3);
  return sound.map((sample) => clip(sample + (2 * random() - 1) * peak));
}

function toSamples(sound: Float32Array, gain: number): Int16Array {
  return Int16Array.from(sound, (sample) => clip(sample * gain * 32_768));
}

function clip(sample: number): number {
  return Math.max(-32_768, Math.min(32_767, Math.round(sample)));
}

function between(random: Random, least: number, most: number): number {
  return least + (most - least) * random();
}

/** Creates numbers from 0 to 1 (mulberry32). */
function createRandom(seed: number): Random {
  let state = Math.imul(seed + 1, 0x9e3779b1);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
