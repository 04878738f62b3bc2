import { readWavHeader, WavError } from "@voxbus/audio";
import { type Sound, TtsError } from "./engine.ts";

const riff = 0x46464952;
const longestHeader = 64 * 1024;

/**
 * Turns a byte stream of 16-bit mono sound, cut anywhere, into pieces of sound. If the stream begins with a WAV header,
 * the header is read, except for its lengths. Otherwise the bytes are raw samples at `rawRate` Hz. Throws TtsError
 * `bad-audio`.
 */
export async function* readPcmStream(
  chunks: AsyncIterable<Uint8Array>,
  rawRate: number | undefined,
): AsyncGenerator<Sound> {
  let sampleRate: number | undefined;
  let pending: Uint8Array = new Uint8Array(0);
  for await (const chunk of chunks) {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    if (sampleRate === undefined) {
      const start = findStart(pending, rawRate);
      if (!start) continue;
      sampleRate = start.sampleRate;
      pending = pending.subarray(start.at);
    }
    const whole = pending.length & ~1;
    if (whole === 0) continue;
    yield { sampleRate, samples: new Int16Array(Uint8Array.from(pending.subarray(0, whole)).buffer) };
    pending = pending.subarray(whole);
  }
  if (sampleRate === undefined && pending.length > 0) throw new TtsError("bad-audio", "the sound ended in its header");
}

function findStart(bytes: Uint8Array, rawRate: number | undefined): { sampleRate: number; at: number } | undefined {
  if (bytes.length < 4) return undefined;
  const isWav = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === riff;
  if (!isWav) {
    if (rawRate === undefined)
      throw new TtsError(
        "bad-audio",
        "expected a WAV: without VOXBUS_TTS_SAMPLE_RATE the rate of raw sound is unknown",
      );
    return { sampleRate: rawRate, at: 0 };
  }
  try {
    const header = readWavHeader(bytes);
    if (!header && bytes.length > longestHeader) throw new TtsError("bad-audio", "the WAV header does not end");
    if (header && header.channels !== 1)
      throw new TtsError("bad-audio", `expected mono sound, got ${header.channels} channels`);
    return header && { sampleRate: header.sampleRate, at: header.dataStart };
  } catch (cause) {
    if (cause instanceof WavError) throw new TtsError("bad-audio", cause.message, { cause });
    throw cause;
  }
}
