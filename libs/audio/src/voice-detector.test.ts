import { expect, test } from "vitest";
import { createVoiceDetector, voiceFrameSamples } from "./voice-detector.ts";

const frameMs = 20;

/** A gliding, softened pulse train of about 125 Hz through three vowel resonances, in syllables of 180 ms with pauses of 70 ms. */
const makeVoice = (ms: number, peak = 8000): Int16Array => {
  const length = ms * 16;
  let phase = 0;
  let wave = Float64Array.from({ length }, (_, i) => {
    phase += (125 + 25 * Math.sin(i / 3000)) / 16_000;
    const pulse = phase >= 1;
    phase %= 1;
    return pulse ? 1 : 0;
  });
  for (const [hz, width] of [
    [0, 100],
    [500, 90],
    [1500, 110],
    [2500, 160],
  ] as const) {
    const radius = Math.exp((-Math.PI * width) / 16_000);
    const angle = (2 * Math.PI * hz) / 16_000;
    const output = new Float64Array(length);
    for (let i = 0; i < length; i++) {
      output[i] = wave[i]! + 2 * radius * Math.cos(angle) * (output[i - 1] ?? 0) - radius ** 2 * (output[i - 2] ?? 0);
    }
    wave = output;
  }
  const loudest = wave.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return Int16Array.from(wave, (value, i) => ((i / 16) % 250 < 180 ? (peak * value) / loudest : 0));
};

const createNoise = (seed = 1) => {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
};

/** White noise of this level in dBFS. */
const makeNoise = (ms: number, dbfs: number): Int16Array => {
  const next = createNoise();
  const scale = 32_768 * 10 ** (dbfs / 20) * Math.sqrt(3);
  return Int16Array.from({ length: ms * 16 }, () => scale * next());
};

const makeHum = (ms: number, dbfs: number): Int16Array =>
  Int16Array.from({ length: ms * 16 }, (_, i) => {
    const angle = (2 * Math.PI * 100 * i) / 16_000;
    return (Math.sin(angle) + Math.sin(2 * angle) / 2 + Math.sin(3 * angle) / 3) * 32_768 * 10 ** (dbfs / 20);
  });

/** A tone of 40 Hz, on for 300 ms of each second. */
const makeRumble = (ms: number, dbfs: number): Int16Array =>
  Int16Array.from({ length: ms * 16 }, (_, i) =>
    (i / 16) % 1000 < 300 ? Math.sin((2 * Math.PI * 40 * i) / 16_000) * 32_768 * 10 ** (dbfs / 20) : 0,
  );

const add = (a: Int16Array, b: Int16Array): Int16Array => a.map((value, i) => value + b[i]!);
const join = (...parts: Int16Array[]): Int16Array => Int16Array.from(parts.flatMap((part) => [...part]));

const detect = (samples: Int16Array): boolean[] => {
  const detector = createVoiceDetector();
  const voiced: boolean[] = [];
  for (let at = 0; at + voiceFrameSamples <= samples.length; at += voiceFrameSamples) {
    voiced.push(detector.write(samples.subarray(at, at + voiceFrameSamples)));
  }
  detector.close();
  return voiced;
};

const share = (voiced: boolean[], fromMs: number, toMs: number) => {
  const part = voiced.slice(fromMs / frameMs, toMs / frameMs);
  return part.filter(Boolean).length / part.length;
};

test("voice detector: hears a voice in quiet and in noise, and only where it is", () => {
  for (const dbfs of [-70, -45, -35]) {
    const quiet = new Int16Array(2000 * 16);
    const voiced = detect(add(join(quiet, makeVoice(2000), quiet), makeNoise(6000, dbfs)));
    expect(share(voiced, 2000, 4000)).toBeGreaterThan(0.5);
    expect(share(voiced, 200, 1900)).toBeLessThan(0.05);
    expect(share(voiced, 4300, 6000)).toBeLessThan(0.05);
  }
});

const backgrounds: readonly (readonly [string, Int16Array])[] = [
  ["silence", new Int16Array(10_000 * 16)],
  ["white noise of -60 dBFS", makeNoise(10_000, -60)],
  ["white noise of -31 dBFS", makeNoise(10_000, -31)],
  // WebRTC's detector alone takes it for a voice: the gate has to refuse it.
  ["a hum of -25 dBFS", makeHum(10_000, -25)],
  // It stands out of the noise floor: WebRTC's detector has to refuse it.
  ["a rumble of -40 dBFS that comes and goes", makeRumble(10_000, -40)],
];

test.each(backgrounds)("voice detector: %s is not voiced", (_, samples) => {
  expect(share(detect(samples), 0, 10_000)).toBeLessThan(0.02);
});

test.each(backgrounds)("voice detector: a voice in %s is heard", (_, samples) => {
  const voiced = detect(add(samples, join(new Int16Array(6000 * 16), makeVoice(4000, 16_000))));
  expect(share(voiced, 0, 6000)).toBeLessThan(0.02);
  expect(share(voiced, 6000, 10_000)).toBeGreaterThan(0.5);
});

test("voice detector: noise that begins and stays is taken for a voice for 3 s at most", () => {
  const voiced = detect(join(makeNoise(3000, -60), makeHum(7000, -25)));
  expect(share(voiced, 6000, 10_000)).toBe(0);
});

test("voice detector: two streams do not disturb each other, and a reset begins anew", () => {
  const [a, b] = [createVoiceDetector(), createVoiceDetector()];
  const samples = add(join(new Int16Array(16_000), makeVoice(1000)), makeNoise(2000, -50));
  const alone = detect(samples);
  const noise = makeNoise(2000, -20);
  const run = () =>
    alone.map((_, n) => {
      b.write(noise.subarray(n * 320, n * 320 + 320));
      return a.write(samples.subarray(n * 320, n * 320 + 320));
    });
  expect(run()).toEqual(alone);
  a.reset();
  expect(run()).toEqual(alone);
  a.close();
  a.close();
  b.close();
  expect(() => a.write(new Int16Array(320))).toThrow("closed");
});

test("voice detector: a frame of another length is rejected", () => {
  const detector = createVoiceDetector();
  expect(() => detector.write(new Int16Array(160))).toThrow(RangeError);
  detector.close();
});

test("voice detector: closing one gives its memory back", () => {
  expect(() => {
    for (let i = 0; i < 20_000; i++) createVoiceDetector().close();
  }).not.toThrow();
});
