import { readOpusStream } from "./opus-stream.ts";
import { readPcmStream } from "./pcm-stream.ts";
import { type Speech, TtsError } from "./engine.ts";

/** The form of a sound that a speech server is asked for. */
export type SoundFormat = "wav" | "pcm" | "opus";

/**
 * Turns the sound of a speech server into speech. A WAV is taken for one whatever was asked for, because many servers know
 * nothing else. Opus has to be asked for. `rawRate` is the rate of raw samples (Hz). Throws TtsError `bad-audio`.
 */
export async function* readSpeechStream(
  chunks: AsyncIterable<Uint8Array>,
  asked: SoundFormat,
  rawRate: number | undefined,
): AsyncGenerator<Speech> {
  const { name, all } = await readName(chunks);
  if (asked === "opus" && name === "OggS") yield* readOpusStream(all);
  else if (asked === "opus" && name !== "RIFF" && name !== "" && rawRate === undefined) {
    throw new TtsError(
      "bad-audio",
      "expected Ogg Opus or WAV, got another form of sound: set VOXBUS_TTS_FORMAT to one that the server has",
    );
  } else yield* readPcmStream(all, rawRate);
}

/** Reads the first four bytes, which name a form, and gives them back with the rest. */
async function readName(chunks: AsyncIterable<Uint8Array>) {
  const source = chunks[Symbol.asyncIterator]();
  let start: Uint8Array = new Uint8Array(0);
  while (start.length < 4) {
    const { value, done } = await source.next();
    if (done === true) break;
    start = start.length === 0 ? value : Buffer.concat([start, value]);
  }
  async function* readAll(): AsyncGenerator<Uint8Array> {
    try {
      if (start.length > 0) yield start;
      for (let next = await source.next(); next.done !== true; next = await source.next()) yield next.value;
    } finally {
      await source.return?.();
    }
  }
  return { name: Buffer.from(start.subarray(0, 4)).toString("latin1"), all: readAll() };
}
