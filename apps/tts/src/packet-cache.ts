import type { SpeechRequest, TtsEngine } from "./engines/engine.ts";
import { createSharedSequence, type SharedSequence } from "./shared-sequence.ts";
import type { SpeechEncoder, SpokenPacket } from "./speech-encoder.ts";
import { createStoredSentences } from "./stored-sentences.ts";

/** Origin of the packets of a cacheable sentence. `shared`: another reply is being given the same sentence. Stable, for counters. */
export type CacheResult = "hit" | "shared" | "miss";

const longestText = 2048;

/**
 * Keeps the packets of sentences in front of an encoder, because a repeatable engine makes the same ones again. A sentence of
 * at most 2,048 characters is kept once it was spoken to its end without an error. Replies that need the same sentence at the
 * same time share one synthesis, which goes as fast as the fastest of them reads. It keeps at most `maxBytes` of packets, those
 * that were used last, in memory only: what people hear is private.
 */
export function createPacketCache(
  encoder: SpeechEncoder,
  options: {
    readonly maxBytes: number;
    /** Called for every sentence that may be kept. */
    readonly onLookup: (result: CacheResult) => void;
  },
): SpeechEncoder {
  const { maxBytes, onLookup } = options;
  const stored = createStoredSentences(maxBytes);
  const running = new Map<string, SharedSequence<SpokenPacket>>();

  function synthesize(key: string, engine: TtsEngine, request: SpeechRequest): SharedSequence<SpokenPacket> {
    const sequence = createSharedSequence((signal) => encoder.speak(engine, request, signal), {
      onEnd(packets) {
        running.delete(key);
        if (packets !== undefined)
          stored.add(
            key,
            packets.map(({ body }) => body),
          );
      },
    });
    running.set(key, sequence);
    return sequence;
  }

  return {
    ...encoder,
    async *speak(engine, request, signal) {
      if (!engine.repeatable || request.text.length > longestText) {
        yield* encoder.speak(engine, request, signal);
        return;
      }
      signal.throwIfAborted();
      const key = keyOf(engine, request);
      const bodies = stored.get(key);
      const shared = bodies ? undefined : running.get(key);
      onLookup(bodies ? "hit" : shared ? "shared" : "miss");
      if (bodies) for (const body of bodies) yield { body, repeatable: true, engine: engine.name };
      else yield* (shared ?? synthesize(key, engine, request)).read(signal);
    },
  };
}

function keyOf({ name }: TtsEngine, { text, voice, speed = 1, language }: SpeechRequest): string {
  return JSON.stringify([name, voice, speed, language, text]);
}
