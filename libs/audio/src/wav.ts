/** The error of `readWav` and `readWavHeader`: the bytes are not a WAV file of 16-bit PCM. */
export class WavError extends Error {
  override readonly name = "WavError";
}

/** The header of a WAV file. */
export interface WavHeader {
  readonly sampleRate: number;
  readonly channels: number;
  /** The position of the first sample, in bytes from the start of the file. */
  readonly dataStart: number;
  /** The length of the samples in bytes, as the header has it. Meaningless in a streamed file. */
  readonly dataBytes: number;
}

const pcm = 1;
const extensible = 0xfffe;

/**
 * Reads a WAV header from the first bytes of a file, or returns undefined if it needs more bytes. Unknown chunks are
 * skipped. Throws `WavError` on anything but 16-bit PCM with 1 to 8 channels at 4 to 192 kHz.
 */
export function readWavHeader(bytes: Uint8Array): WavHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12) return undefined;
  if (tag(bytes, 0) !== "RIFF" || tag(bytes, 8) !== "WAVE") throw new WavError("not a WAV file");
  let format: { sampleRate: number; channels: number } | undefined;
  for (let at = 12; at + 8 <= bytes.length;) {
    const kind = tag(bytes, at);
    const length = view.getUint32(at + 4, true);
    const body = at + 8;
    if (kind === "data") {
      if (!format) throw new WavError("a WAV file has its samples before their format");
      return { ...format, dataStart: body, dataBytes: length };
    }
    if (kind === "fmt ") {
      if (length < 16) throw new WavError("a WAV file has a truncated format chunk");
      if (body + 16 > bytes.length) return undefined;
      format = readFormat(view, body);
    }
    at = body + length + (length % 2);
  }
  return undefined;
}

function readFormat(view: DataView, at: number): { sampleRate: number; channels: number } {
  const coding = view.getUint16(at, true);
  const channels = view.getUint16(at + 2, true);
  const sampleRate = view.getUint32(at + 4, true);
  const bits = view.getUint16(at + 14, true);
  if ((coding !== pcm && coding !== extensible) || bits !== 16) {
    throw new WavError(`expected a WAV file of 16-bit PCM, got coding ${coding} with ${bits} bits`);
  }
  if (channels < 1 || channels > 8) throw new WavError(`expected a WAV file with 1 to 8 channels, got ${channels}`);
  if (sampleRate < 4000 || sampleRate > 192_000)
    throw new WavError(`expected a WAV file at 4000 to 192000 Hz, got ${sampleRate}`);
  return { sampleRate, channels };
}

/**
 * Reads a WAV file of 16-bit PCM. Several channels are mixed to one; `channels` is their number in the file. The lengths
 * in a streamed file (0xFFFFFFFF, 0x7ffff000, 0) are ignored. Throws `WavError`.
 */
export function readWav(bytes: Uint8Array): {
  readonly sampleRate: number;
  readonly channels: number;
  readonly samples: Int16Array<ArrayBuffer>;
} {
  const header = readWavHeader(bytes);
  if (!header) throw new WavError("a WAV file ends before its samples");
  const { sampleRate, channels, dataStart, dataBytes } = header;
  const present = bytes.length - dataStart;
  const length = dataBytes === 0 || dataBytes > present ? present : dataBytes;
  const frames = Math.floor(length / 2 / channels);
  const view = new DataView(bytes.buffer, bytes.byteOffset + dataStart, length);
  const samples = new Int16Array(frames);
  for (let frame = 0; frame < frames; frame++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += view.getInt16((frame * channels + channel) * 2, true);
    samples[frame] = Math.round(sum / channels);
  }
  return { sampleRate, channels, samples };
}

/** Writes a WAV file of mono 16-bit PCM. */
export function writeWav(audio: {
  readonly sampleRate: number;
  readonly samples: Int16Array;
}): Uint8Array<ArrayBuffer> {
  const { sampleRate, samples } = audio;
  const bytes = new Uint8Array(44 + samples.length * 2);
  const view = new DataView(bytes.buffer);
  const putTag = (at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);
  putTag(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  putTag(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, pcm, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  putTag(36, "data");
  view.setUint32(40, samples.length * 2, true);
  for (let i = 0; i < samples.length; i++) view.setInt16(44 + i * 2, samples[i]!, true);
  return bytes;
}

function tag(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}
