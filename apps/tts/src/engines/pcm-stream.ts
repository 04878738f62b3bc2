import { decodeSamples, frameBytes, isStreamLength, readWavHeader, type SampleFormat, WavError } from "@voxbus/audio";
import { type Sound, TtsError } from "./engine.ts";

const longestHeader = 64 * 1024;

/** A run of samples: their form, and how many bytes of them follow. */
interface Section {
  readonly format: SampleFormat;
  left: number;
}

/**
 * Turns a byte stream of sound, cut anywhere, into pieces of mono sound. If the stream begins with a WAV header, its samples
 * may have any usual form. Its length is ignored if it is one that streams have, or if more samples follow. Several WAV files
 * in a row are one sound. Without a header the bytes are raw samples of 16 bits at `rawRate` Hz. Throws TtsError `bad-audio`.
 */
export async function* readPcmStream(
  chunks: AsyncIterable<Uint8Array>,
  rawRate: number | undefined,
): AsyncGenerator<Sound> {
  let section: Section | undefined;
  let sampleRate: number | undefined;
  let pending: Uint8Array = new Uint8Array(0);
  for await (const chunk of chunks) {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (;;) {
      if (section === undefined) {
        const start = findStart(pending, rawRate);
        if (start === undefined) break;
        section = { format: start.format, left: start.length };
        pending = pending.subarray(start.at);
        sampleRate ??= start.format.sampleRate;
        if (sampleRate !== start.format.sampleRate)
          throw new TtsError("bad-audio", `the sound changes from ${sampleRate} to ${start.format.sampleRate} Hz`);
      }
      const whole = Math.min(section.left, pending.length - (pending.length % frameBytes(section.format)));
      if (whole > 0)
        yield {
          sampleRate: section.format.sampleRate,
          samples: decodeSamples(section.format, pending.subarray(0, whole)),
        };
      pending = pending.subarray(whole);
      section.left -= whole;
      if (section.left > 0 || pending.length < 5) break;
      const next = findNext(pending);
      if (next === "chunks") return;
      if (next === "samples") section.left = Infinity;
      else section = undefined;
    }
  }
  if (section === undefined && pending.length > 0) throw new TtsError("bad-audio", "the sound ended in its header");
}

/** Tells what follows the last sample that a header announced: another file, chunks that are not sound, or more samples. */
function findNext(bytes: Uint8Array): "file" | "chunks" | "samples" {
  const name = Buffer.from(bytes.subarray(0, 5)).toString("latin1");
  if (name.startsWith("RIFF")) return "file";
  return /^\0?(?:LIST|INFO|id3 |ID3 |fact|cue |bext|JUNK|PEAK|smpl|_PMX)/.test(name) ? "chunks" : "samples";
}

interface Start {
  readonly format: SampleFormat;
  readonly length: number;
  readonly at: number;
}

function findStart(bytes: Uint8Array, rawRate: number | undefined): Start | undefined {
  if (bytes.length < 4) return undefined;
  const name = Buffer.from(bytes.subarray(0, 4)).toString("latin1");
  if (name !== "RIFF") {
    if (name === "OggS")
      throw new TtsError(
        "bad-audio",
        "expected WAV or raw samples, got Ogg: set VOXBUS_TTS_FORMAT to opus if it is Opus",
      );
    if (/^(?:ID3|fLaC)/.test(name))
      throw new TtsError("bad-audio", "expected WAV or raw samples, got a compressed sound");
    if (rawRate === undefined)
      throw new TtsError(
        "bad-audio",
        "expected a WAV: without VOXBUS_TTS_SAMPLE_RATE the rate of raw sound is unknown",
      );
    return { format: { sampleRate: rawRate, channels: 1, coding: "s16" }, length: Infinity, at: 0 };
  }
  try {
    const header = readWavHeader(bytes);
    if (!header && bytes.length > longestHeader) throw new TtsError("bad-audio", "the WAV header does not end");
    if (!header) return undefined;
    const { dataStart, dataBytes, ...format } = header;
    return {
      format,
      length: isStreamLength(dataBytes) ? Infinity : dataBytes - (dataBytes % frameBytes(format)),
      at: dataStart,
    };
  } catch (cause) {
    if (cause instanceof WavError) throw new TtsError("bad-audio", cause.message, { cause });
    throw cause;
  }
}
