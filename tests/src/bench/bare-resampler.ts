const taps = 32;

/**
 * Creates the plain form of a streaming polyphase filter, as a baseline: one sum for each output sample. `ratio` is the
 * input's rate and the output's, in lowest terms. Its weights are no filter's, because only the time counts.
 */
export function createBareResampler([from, to]: readonly [number, number]): (samples: Int16Array) => Int16Array {
  const length = 2 * Math.ceil((taps * Math.max(1, from / to)) / 2);
  const weights = new Float32Array(to * length).fill(1 / length);
  let pending = new Float32Array(length);
  let phase = 0;
  return (samples) => {
    const input = new Float32Array(pending.length + samples.length);
    input.set(pending);
    input.set(samples, pending.length);
    const output = new Int16Array(Math.floor((samples.length * to) / from));
    let at = 0;
    for (let out = 0; out < output.length; out++) {
      let sum = 0;
      for (let tap = 0, row = phase * length; tap < length; tap++) sum += weights[row + tap]! * input[at + tap]!;
      output[out] = Math.max(-32768, Math.min(32767, Math.round(sum)));
      phase += from;
      at += Math.floor(phase / to);
      phase %= to;
    }
    pending = input.slice(samples.length);
    return output;
  };
}
