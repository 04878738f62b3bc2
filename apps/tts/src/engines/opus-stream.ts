import { createOpusRegrouper, OpusPacketError, type RegroupedSound } from "@voxbus/audio";
import { createOggOpusReader } from "../ogg/opus.ts";
import { OggError } from "../ogg/pages.ts";
import { type Speech, TtsError } from "./engine.ts";

const sampleRate = 24_000;

/**
 * Turns an Ogg Opus stream, cut anywhere, into packets of 60 ms and, where its packets have to be decoded, into samples. Throws
 * TtsError `bad-audio`.
 */
export async function* readOpusStream(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Speech> {
  const reader = createOggOpusReader();
  const regrouper = createOpusRegrouper();
  try {
    for await (const chunk of chunks) {
      for (const piece of reader.write(chunk))
        yield* describe("head" in piece ? regrouper.begin(piece.head) : regrouper.write(piece.packet, piece.keep));
    }
    reader.end();
    yield* describe(regrouper.flush());
  } catch (cause) {
    if (cause instanceof OggError || cause instanceof OpusPacketError)
      throw new TtsError("bad-audio", cause.message, { cause });
    throw cause;
  } finally {
    regrouper.close();
  }
}

function* describe(sounds: readonly RegroupedSound[]): Generator<Speech> {
  for (const sound of sounds) {
    if ("packets" in sound && sound.packets.length > 0) yield { packets: sound.packets };
    else if ("samples" in sound && sound.samples.length > 0) yield { sampleRate, samples: sound.samples };
  }
}
