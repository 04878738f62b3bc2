/** Changes the sample rate of one mono stream, block by block, without seams and without delay. */
export interface Resampler {
  /** Returns the output that this input completes. At most half the filter's length is held back. */
  write(samples: Int16Array): Int16Array<ArrayBuffer>;
  /** Returns the rest and begins a new stream. All blocks together have `ceil(input * to / from)` samples. */
  flush(): Int16Array<ArrayBuffer>;
}

const tapsAtLowerRate = 32;
const beta = 9;
const cutoff = 0.94;

/**
 * Creates a streaming polyphase Kaiser FIR with 32 taps at the lower of both rates. Aliases and images are below -80 dB;
 * 7 kHz loses 1.3 dB from 16 to 24 kHz. Rates are whole numbers of Hz from 4,000 to 192,000; others throw a RangeError.
 */
export function createResampler(from: number, to: number): Resampler {
  for (const rate of [from, to]) {
    if (!Number.isInteger(rate) || rate < 4000 || rate > 192_000)
      throw new RangeError(`expected a sample rate of 4000 to 192000 Hz, a whole number, got ${rate}`);
  }
  if (from === to) return { write: (samples) => samples.slice(), flush: () => new Int16Array(0) };

  const divisor = greatestCommonDivisor(from, to);
  const phases = to / divisor;
  const step = from / divisor;
  const taps = 2 * Math.ceil((tapsAtLowerRate * Math.max(1, from / to)) / 2);
  const filter = designFilter({ phases, taps, frequency: (cutoff / 2) * Math.min(1, to / from) });

  let pending = new Float32Array(taps / 2 - 1);
  let at = 0;
  let phase = 0;

  function write(samples: Int16Array): Int16Array<ArrayBuffer> {
    const input = new Float32Array(pending.length + samples.length);
    input.set(pending);
    input.set(samples, pending.length);
    const steps = (input.length - taps - at + 1) * phases - phase;
    const output = new Int16Array(Math.max(0, Math.ceil(steps / step)));
    for (let out = 0; out < output.length; out++) {
      let sum = 0;
      for (let tap = 0, row = phase * taps; tap < taps; tap++) sum += filter[row + tap]! * input[at + tap]!;
      output[out] = Math.max(-32768, Math.min(32767, Math.round(sum)));
      phase += step;
      at += Math.floor(phase / phases);
      phase %= phases;
    }
    const used = Math.min(at, input.length);
    pending = input.slice(used);
    at -= used;
    return output;
  }

  return {
    write,
    flush: () => {
      const rest = write(new Int16Array(taps / 2));
      pending = new Float32Array(taps / 2 - 1);
      at = 0;
      phase = 0;
      return rest;
    },
  };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function designFilter(options: { phases: number; taps: number; frequency: number }): Float32Array {
  const { phases, taps, frequency } = options;
  const filter = new Float32Array(phases * taps);
  for (let phase = 0; phase < phases; phase++) {
    const row = filter.subarray(phase * taps, (phase + 1) * taps);
    for (let tap = 0; tap < taps; tap++) {
      const time = tap - (taps / 2 - 1) - phase / phases;
      const edge = time / (taps / 2);
      row[tap] = sinc(2 * frequency * time) * bessel(beta * Math.sqrt(Math.max(0, 1 - edge * edge)));
    }
    // Every phase passes a constant unchanged. Otherwise the difference between phases would be heard as a tone.
    const sum = row.reduce((total, value) => total + value, 0);
    for (let tap = 0; tap < taps; tap++) row[tap]! /= sum;
  }
  return filter;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function bessel(x: number): number {
  let sum = 1;
  for (let term = 1, k = 1; term > 1e-10 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
