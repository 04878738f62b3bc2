import { createOpusEncoder, createResampler, type Resampler } from "@voxbus/audio";
import { serveWorker, type WorkerContract } from "@voxbus/workers";
import type { Sound } from "./engines/engine.ts";

/** The contract between tts and its encoder threads. One task takes the sounds of a piece of text and yields its Opus packets. */
export interface EncodeContract extends WorkerContract {
  readonly data: null;
  readonly request: null;
  readonly input: Sound;
  readonly result: EncodedPacket;
}

/** One Opus packet of 60 ms. */
export interface EncodedPacket {
  readonly body: Uint8Array<ArrayBuffer>;
  /** The time that it took to resample and encode (ms). */
  readonly costMs: number;
}

const sampleRate = 24_000;
const packetSamples = 1440;

await serveWorker<EncodeContract>(
  () =>
    async function* (_, { input }) {
      // Each task has its own encoder, so the same samples make the same packets, whatever was said before.
      const encoder = createOpusEncoder({ sampleRate, bitrate: 24_000, complexity: 5 });
      const packet = new Int16Array(packetSamples);
      let filled = 0;
      let began = 0;
      function encode(): EncodedPacket {
        const body = encoder.encode(packet);
        return { body, costMs: performance.now() - began };
      }
      function* cut(samples: Int16Array) {
        for (let at = 0; at < samples.length;) {
          const part = samples.subarray(at, at + packetSamples - filled);
          packet.set(part, filled);
          filled += part.length;
          at += part.length;
          if (filled < packetSamples) continue;
          yield encode();
          began = performance.now();
          filled = 0;
        }
      }
      try {
        let resampler: Resampler | undefined;
        for await (const sound of input) {
          resampler ??= createResampler(sound.sampleRate, sampleRate);
          // In small blocks, so that the first packet does not wait for a whole sentence.
          for (let at = 0; at < sound.samples.length; at += packetSamples) {
            began = performance.now();
            yield* cut(resampler.write(sound.samples.subarray(at, at + packetSamples)));
          }
        }
        if (resampler) yield* cut(resampler.flush());
        packet.fill(0, filled);
        if (filled > 0) yield encode();
      } finally {
        encoder.close();
      }
    },
  { transfer: ({ body }) => [body.buffer] },
);
