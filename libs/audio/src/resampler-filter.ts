/** A polyphase filter. Output `n` is a sum of `taps` input samples, with the weights of the row of its phase. */
export interface Filter {
  /** The input lies `phases` phases apart, the output `step` phases. */
  readonly phases: number;
  readonly step: number;
  readonly taps: number;
  /** Zeros on both sides of each row, so that three neighbors can use the same input. */
  readonly margin: number;
  /** A row for each phase. */
  readonly weights: Float64Array;
}

const tapsAtLowerRate = 28;
const beta = 8;
const cutoff = 0.945;

// A design takes as long as a packet's encoding takes, or several. A process sees few pairs of rates.
const designs = new Map<string, Filter>();
const mostDesigns = 8;

/** Returns the filter from one sample rate to another. The latest ones are kept. */
export function readFilter(from: number, to: number): Filter {
  const key = `${from}:${to}`;
  const filter = designs.get(key) ?? designFilter(from, to);
  designs.delete(key);
  designs.set(key, filter);
  for (const oldest of designs.keys()) {
    if (designs.size <= mostDesigns) break;
    designs.delete(oldest);
  }
  return filter;
}

function designFilter(from: number, to: number): Filter {
  const divisor = greatestCommonDivisor(from, to);
  // Three neighbors belong to one cycle of phases.
  const times = to / divisor < 3 ? 3 : 1;
  const phases = (times * to) / divisor;
  const step = (times * from) / divisor;
  const taps = 2 * Math.ceil((tapsAtLowerRate * Math.max(1, from / to)) / 2);
  const frequency = (cutoff / 2) * Math.min(1, to / from);
  const margin = Math.ceil((2 * step) / phases);
  const rowLength = taps + 2 * margin;
  const weights = new Float64Array(phases * rowLength);
  for (let phase = 0; phase < phases; phase++) {
    const row = weights.subarray(phase * rowLength + margin, phase * rowLength + margin + taps);
    for (let tap = 0; tap < taps; tap++) {
      const time = tap - (taps / 2 - 1) - phase / phases;
      const edge = time / (taps / 2);
      row[tap] = sinc(2 * frequency * time) * bessel(beta * Math.sqrt(Math.max(0, 1 - edge * edge)));
    }
    // Every phase passes a constant unchanged. Otherwise the difference between phases would be heard as a tone.
    const sum = row.reduce((total, value) => total + value, 0);
    for (let tap = 0; tap < taps; tap++) row[tap]! /= sum;
  }
  return { phases, step, taps, margin, weights };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
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
