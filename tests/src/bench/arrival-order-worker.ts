import { createOpusEncoder } from "@voxbus/audio";
import { serveWorker, type WorkerContract } from "@voxbus/workers";

/** The contract of the encoder threads of tts, as far as it is measured. */
export interface EncodeContract extends WorkerContract {
  readonly data: null;
  readonly request: { readonly due: number; readonly heardMs: number };
  /** Whole packets. */
  readonly input: { readonly sampleRate: number; readonly samples: Int16Array };
  readonly result: { readonly body: Uint8Array };
}

const packetSamples = 1440;

// The encoder of tts without deadlines: what arrives first is encoded first, to its end.
await serveWorker<EncodeContract>(
  () =>
    async function* ({ due }, task) {
      const encoder = createOpusEncoder({ sampleRate: 24_000, bitrate: 32_000, complexity: 0 });
      await task.takeStep(due);
      for await (const { samples } of task.input)
        for (let at = 0; at < samples.length; at += packetSamples)
          yield { body: encoder.encode(samples.subarray(at, at + packetSamples)) };
      encoder.close();
    },
);
