import { getPriority, setPriority } from "node:os";
import { createOpusEncoder, createResampler, type Resampler } from "@voxbus/audio";
import { readClock, serveWorker, type WorkerContract } from "@voxbus/workers";
import type { Sound } from "./engines/engine.ts";

/** The contract between tts and its encoder threads. One task takes the sounds of a piece of text and yields its Opus packets. */
export interface EncodeContract extends WorkerContract {
  readonly data: null;
  readonly request: SoundDeadline;
  readonly input: Sound;
  readonly result: EncodedPacket;
}

/** By when the packets of a sound have to be there. */
export interface SoundDeadline {
  /** The time at which the listener has nothing left to play (`readClock`, ms). The first packet is due then. */
  readonly due: number;
  /** The length of the sound's beginning that the gateway has already (ms). It is encoded first, without a pause. */
  readonly heardMs: number;
}

/** One Opus packet of 60 ms. */
export interface EncodedPacket {
  readonly body: Uint8Array<ArrayBuffer>;
  /** The time that it took to resample and encode (ms). */
  readonly costMs: number;
  /** True if it waited for the thread for more than 10 ms after it was due. */
  readonly late: boolean;
}

// docs/decisions/0012-opus-at-complexity-0.md
const settings = { sampleRate: 24_000, bitrate: 32_000, complexity: 0 } as const;
const packetSamples = 1440;
const packetMs = 60;
const lateMs = 10;
const warmUpPackets = 100;
/** The niceness of the thread. Work that is due at once, here and in other programs, goes before packets for later. */
const niceness = 10;

/** Encodes a made-up sound, so that a thread that starts under load is not slow at first: it is given all new sentences. */
function warmUp(): void {
  const encoder = createOpusEncoder(settings);
  const packet = Int16Array.from({ length: packetSamples }, (_, n) => 8000 * Math.sin(n / 30) + ((n * 7919) % 997));
  for (let n = 0; n < warmUpPackets; n += 1) encoder.encode(packet);
  encoder.close();
}

await serveWorker<EncodeContract>(
  () => {
    // Elsewhere it would be that of the whole process.
    if (process.platform === "linux") setPriority(Math.max(niceness, getPriority()));
    warmUp();
    return async function* (request, task) {
      // Each task has its own encoder, so the same samples make the same packets, whatever was said before.
      const encoder = createOpusEncoder(settings);
      const packet = new Int16Array(packetSamples);
      let filled = 0;
      let { due } = request;
      let heardMs = Math.max(request.heardMs, task.repeated * packetMs);
      let costMs = 0;

      async function encode(): Promise<EncodedPacket> {
        const isHeard = heardMs > 0;
        const ready = readClock();
        await task.takeStep(isHeard ? ready : due);
        const began = readClock();
        const body = encoder.encode(packet);
        const now = readClock();
        const late = !isHeard && began - Math.max(due, ready) > lateMs;
        const encoded = { body, costMs: costMs + now - began, late };
        costMs = 0;
        filled = 0;
        if (isHeard) heardMs -= packetMs;
        // A listener who ran dry plays on from now.
        else due = Math.max(due, now) + packetMs;
        return encoded;
      }
      async function* cut(samples: Int16Array) {
        for (let at = 0; at < samples.length;) {
          const part = samples.subarray(at, at + packetSamples - filled);
          packet.set(part, filled);
          filled += part.length;
          at += part.length;
          if (filled === packetSamples) yield await encode();
        }
      }
      function resample(work: () => Int16Array): Int16Array {
        const began = readClock();
        const samples = work();
        costMs += readClock() - began;
        return samples;
      }
      try {
        let resampler: Resampler | undefined;
        // Reading the first sound is as urgent as its first packet.
        await task.takeStep(heardMs > 0 ? readClock() : due);
        for await (const sound of task.input) {
          const { write } = (resampler ??= createResampler(sound.sampleRate, settings.sampleRate));
          // In small blocks, so that the first packet does not wait for the others.
          for (let at = 0; at < sound.samples.length; at += packetSamples)
            yield* cut(resample(() => write(sound.samples.subarray(at, at + packetSamples))));
        }
        const { flush } = resampler ?? {};
        if (flush) yield* cut(resample(flush));
        packet.fill(0, filled);
        if (filled > 0) yield await encode();
      } finally {
        encoder.close();
      }
    };
  },
  { transfer: ({ body }) => [body.buffer] },
);
