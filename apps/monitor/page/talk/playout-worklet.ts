// oxlint-disable unicorn/require-post-message-target-origin -- a MessagePort has no origin
/**
 * A jitter buffer in the audio thread. It starts to play once it holds `prefillSeconds` of sound or `end` has come. When
 * it runs empty it waits for as much again. It receives `{samples, rate}`, `clear` and `end`. It posts `sound` with the
 * first sample, `{level}` about every 50 ms while it plays, and `drained` after the last sample.
 */
const prefillSeconds = 0.1;
const rampSeconds = 0.004;
const reportSeconds = 0.05;

class Playout extends AudioWorkletProcessor {
  #queue: Float32Array[] = [];
  #waiting = 0;
  #read = 0;
  #playing = false;
  #ending = false;
  #gain = 0;
  #power = 0;
  #count = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<unknown>) => this.#handle(data);
  }

  #handle(data: unknown): void {
    if (data === "clear") {
      this.#queue = [];
      this.#waiting = 0;
      this.#read = 0;
      this.#playing = false;
      this.#ending = false;
    } else if (data === "end") {
      this.#ending = true;
      if (this.#waiting === 0) this.#drained();
    } else {
      const { samples, rate } = data as { readonly samples: Float32Array; readonly rate: number };
      const fitting = rate === sampleRate ? samples : stretch(samples, sampleRate / rate);
      this.#queue.push(fitting);
      this.#waiting += fitting.length;
    }
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const out = outputs[0]?.[0];
    if (!out) return true;
    if (!this.#playing && this.#waiting > 0 && (this.#ending || this.#waiting >= prefillSeconds * sampleRate)) {
      this.#playing = true;
      this.#gain = 0;
      this.port.postMessage("sound");
    }
    if (!this.#playing) return true;
    const step = 1 / (rampSeconds * sampleRate);
    for (let at = 0; at < out.length; at++) {
      const sample = this.#next();
      if (sample === undefined) break;
      this.#gain = Math.min(1, this.#gain + step);
      out[at] = sample * this.#gain;
      this.#power += sample * sample;
    }
    this.#report(out.length);
    if (this.#waiting > 0) return true;
    this.#playing = false;
    if (this.#ending) this.#drained();
    return true;
  }

  #next(): number | undefined {
    const first = this.#queue[0];
    if (!first) return undefined;
    const sample = first[this.#read++];
    this.#waiting -= 1;
    if (this.#read >= first.length) {
      this.#queue.shift();
      this.#read = 0;
    }
    return sample;
  }

  #report(samples: number): void {
    this.#count += samples;
    if (this.#count < reportSeconds * sampleRate) return;
    this.port.postMessage({ level: Math.sqrt(this.#power / this.#count) });
    this.#power = 0;
    this.#count = 0;
  }

  #drained(): void {
    this.#ending = false;
    this.port.postMessage("drained");
  }
}

function stretch(samples: Float32Array, ratio: number): Float32Array {
  const out = new Float32Array(Math.round(samples.length * ratio));
  for (let at = 0; at < out.length; at++) {
    const position = at / ratio;
    const before = Math.floor(position);
    const [a = 0, b = a] = [samples[before], samples[before + 1]];
    out[at] = a + (b - a) * (position - before);
  }
  return out;
}

registerProcessor("playout", Playout);
