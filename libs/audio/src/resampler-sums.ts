/** The samples and weights of a resampler's sums. */
export interface Lines {
  readonly weights: Float64Array;
  readonly input: Float64Array;
  readonly output: Int16Array;
}

/** The weights of three neighboring outputs: the places of their first ones, for the same first input sample. */
export interface Rows {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  /** The number of input samples. */
  readonly length: number;
  /** The distance in the input to the outputs that have the same weights. */
  readonly step: number;
  /** Their distance in the output. */
  readonly phases: number;
}

/**
 * Computes three neighbors and the outputs one and two cycles later, from input at `at` to output at `out`. Nine sums at once
 * use each number that was loaded three times, and the processor adds to several of them at the same time.
 */
export function computeNine({ weights, input, output }: Lines, rows: Rows, at: number, out: number): void {
  const { step, phases } = rows;
  // prettier-ignore
  let ax = 0, bx = 0, cx = 0, ay = 0, by = 0, cy = 0, az = 0, bz = 0, cz = 0;
  let { a, b, c } = rows;
  const end = at + rows.length;
  let y = at + step;
  let z = y + step;
  for (let x = at; x < end; x++) {
    const inX = input[x]!;
    const inY = input[y++]!;
    const inZ = input[z++]!;
    const weightA = weights[a++]!;
    ax += weightA * inX;
    ay += weightA * inY;
    az += weightA * inZ;
    const weightB = weights[b++]!;
    bx += weightB * inX;
    by += weightB * inY;
    bz += weightB * inZ;
    const weightC = weights[c++]!;
    cx += weightC * inX;
    cy += weightC * inY;
    cz += weightC * inZ;
  }
  output[out] = round(ax);
  output[out + 1] = round(bx);
  output[out + 2] = round(cx);
  output[out + phases] = round(ay);
  output[out + phases + 1] = round(by);
  output[out + phases + 2] = round(cy);
  output[out + 2 * phases] = round(az);
  output[out + 2 * phases + 1] = round(bz);
  output[out + 2 * phases + 2] = round(cz);
}

/** Computes three neighbors, as far as the output has room for them. */
export function computeThree({ weights, input, output }: Lines, rows: Rows, at: number, out: number): void {
  let sumA = 0;
  let sumB = 0;
  let sumC = 0;
  let { a, b, c } = rows;
  const end = at + rows.length;
  for (let x = at; x < end; x++) {
    const sample = input[x]!;
    sumA += weights[a++]! * sample;
    sumB += weights[b++]! * sample;
    sumC += weights[c++]! * sample;
  }
  output[out] = round(sumA);
  if (out + 1 < output.length) output[out + 1] = round(sumB);
  if (out + 2 < output.length) output[out + 2] = round(sumC);
}

function round(value: number): number {
  if (value >= 32_767) return 32_767;
  if (value <= -32_768) return -32_768;
  // Truncation costs less than Math.round, and is the same above 0.
  return Math.trunc(value + 32_768.5) - 32_768;
}
