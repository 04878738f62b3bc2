/**
 * The recorder in the audio thread. It resamples the microphone to 16 kHz with a windowed sinc and posts 60 ms at a time,
 * with their root mean square.
 */
const target = 16_000;
const frame = 960;
const ratio = sampleRate / target;
const cutoff = Math.min(1, target / sampleRate) * 0.94;
/** Input samples that the filter spans on either side. */
const reach = Math.ceil(16 / cutoff);
/** Filter values per input sample. */
const steps = 64;
const filter = Float32Array.from({ length: reach * steps + 1 }, (_, at) => {
  const x = Math.PI * (at / steps) * cutoff;
  const window = 0.5 + 0.5 * Math.cos((Math.PI * at) / (reach * steps));
  return (x === 0 ? 1 : Math.sin(x) / x) * window * cutoff;
});

class Capture extends AudioWorkletProcessor {
  #input: number[] = Array.from({ length: reach }, () => 0);
  #position = reach;
  #out = new Float32Array(frame);
  #filled = 0;

  process(inputs: Float32Array[][]): boolean {
    const block = inputs[0]?.[0];
    if (!block) return true;
    for (const sample of block) this.#input.push(sample);
    while (this.#position + reach < this.#input.length) {
      this.#write(this.#interpolate(this.#position));
      this.#position += ratio;
    }
    const used = Math.max(0, Math.floor(this.#position) - reach);
    this.#input.splice(0, used);
    this.#position -= used;
    return true;
  }

  #interpolate(position: number): number {
    if (ratio === 1) return this.#input[Math.round(position)] ?? 0;
    let sum = 0;
    const last = Math.floor(position + reach);
    for (let at = Math.max(0, Math.ceil(position - reach)); at <= last; at++) {
      sum += (this.#input[at] ?? 0) * (filter[Math.round(Math.abs(at - position) * steps)] ?? 0);
    }
    return sum;
  }

  #write(sample: number): void {
    this.#out[this.#filled++] = sample;
    if (this.#filled < frame) return;
    const samples = this.#out;
    let power = 0;
    for (const one of samples) power += one * one;
    this.port.postMessage({ samples, rms: Math.sqrt(power / frame) }, [samples.buffer]);
    this.#out = new Float32Array(frame);
    this.#filled = 0;
  }
}

registerProcessor("capture", Capture);
