/** The error of `readWav` and `readWavHeader`: the bytes are not a WAV file of a known coding. */
export class WavError extends Error {
  override readonly name = "WavError";
}

/** The form of samples in a file, several channels being interleaved. */
export interface SampleFormat {
  readonly sampleRate: number;
  readonly channels: number;
  readonly coding: SampleCoding;
}
/** The coding of a sample: little-endian integers or floating point. Only integers of 8 bits are unsigned. */
export type SampleCoding = keyof typeof codings;

/** The header of a WAV file. */
export interface WavHeader extends SampleFormat {
  /** The position of the first sample, in bytes from the start of the file. */
  readonly dataStart: number;
  /** The length of the samples in bytes, as the header has it. Meaningless in a streamed file. */
  readonly dataBytes: number;
}

/** The bytes of a sample in each coding, and how it is read as one of 16 bits. */
const codings = {
  u8: { bytes: 1, read: (view: DataView, at: number) => (view.getUint8(at) - 128) * 256 },
  s16: { bytes: 2, read: (view: DataView, at: number) => view.getInt16(at, true) },
  s24: { bytes: 3, read: (view: DataView, at: number) => view.getInt16(at + 1, true) },
  s32: { bytes: 4, read: (view: DataView, at: number) => view.getInt16(at + 2, true) },
  f32: { bytes: 4, read: (view: DataView, at: number) => scale(view.getFloat32(at, true)) },
  f64: { bytes: 8, read: (view: DataView, at: number) => scale(view.getFloat64(at, true)) },
} as const;

function scale(sample: number): number {
  return Math.max(-32_768, Math.min(32_767, Math.round((Number.isNaN(sample) ? 0 : sample) * 32_767)));
}

const pcm = 1;
const float = 3;
const extensible = 0xfffe;

/**
 * Reads a WAV header from the first bytes of a file, or returns undefined if it needs more bytes. Unknown chunks are
 * skipped. Throws `WavError` on anything but PCM of 8 to 32 bits or floating point, with 1 to 8 channels at 4 to 192 kHz.
 */
export function readWavHeader(bytes: Uint8Array): WavHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12) return undefined;
  if (tag(bytes, 0) !== "RIFF" || tag(bytes, 8) !== "WAVE") throw new WavError("not a WAV file");
  let format: SampleFormat | undefined;
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
      if (body + Math.min(length, 26) > bytes.length) return undefined;
      format = readFormat(view, body, length);
    }
    at = body + length + (length % 2);
  }
  return undefined;
}

function readFormat(view: DataView, at: number, length: number): SampleFormat {
  const given = view.getUint16(at, true);
  // The extension begins with the coding.
  const kind = given === extensible && length >= 26 ? view.getUint16(at + 24, true) : given;
  const channels = view.getUint16(at + 2, true);
  const sampleRate = view.getUint32(at + 4, true);
  const bits = view.getUint16(at + 14, true);
  const name =
    kind === float ? `f${bits}` : kind === pcm || kind === extensible ? (bits === 8 ? "u8" : `s${bits}`) : "";
  if (!Object.hasOwn(codings, name)) {
    throw new WavError(`expected a WAV file of PCM or floating point, got coding ${kind} with ${bits} bits`);
  }
  if (channels < 1 || channels > 8) throw new WavError(`expected a WAV file with 1 to 8 channels, got ${channels}`);
  if (sampleRate < 4000 || sampleRate > 192_000)
    throw new WavError(`expected a WAV file at 4000 to 192000 Hz, got ${sampleRate}`);
  return { sampleRate, channels, coding: name as SampleCoding };
}

/** Gives the bytes of one sample in all channels. */
export function frameBytes({ channels, coding }: SampleFormat): number {
  return codings[coding].bytes * channels;
}

/** Decodes samples to 16 bits. Several channels are mixed to one. Bytes of a last, incomplete frame are ignored. */
export function decodeSamples(format: SampleFormat, bytes: Uint8Array): Int16Array<ArrayBuffer> {
  const { channels, coding } = format;
  const { bytes: width, read } = codings[coding];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const samples = new Int16Array(Math.floor(bytes.length / width / channels));
  for (let frame = 0; frame < samples.length; frame++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += read(view, (frame * channels + channel) * width);
    samples[frame] = Math.round(sum / channels);
  }
  return samples;
}

/** True if a header's length of the samples is one that writers of streams put there. */
export function isStreamLength(dataBytes: number): boolean {
  return dataBytes === 0 || dataBytes >= 0x7000_0000;
}

/**
 * Reads a WAV file. Several channels are mixed to one; `channels` is their number in the file. The lengths in a streamed
 * file (0xFFFFFFFF, 0x7ffff000, 0) are ignored. Throws `WavError`.
 */
export function readWav(bytes: Uint8Array): {
  readonly sampleRate: number;
  readonly channels: number;
  readonly samples: Int16Array<ArrayBuffer>;
} {
  const header = readWavHeader(bytes);
  if (!header) throw new WavError("a WAV file ends before its samples");
  const { sampleRate, channels, dataStart, dataBytes } = header;
  const end = isStreamLength(dataBytes) ? undefined : dataStart + dataBytes;
  return { sampleRate, channels, samples: decodeSamples(header, bytes.subarray(dataStart, end)) };
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
