import { priorities } from "@voxbus/protocol";
import { readClock } from "@voxbus/workers";
import type { SpeechRequest, TtsEngine } from "./engines/engine.ts";
import { createSharedSequence, type SharedSequence } from "./shared-sequence.ts";
import type { SpeechEncoder, SpokenPacket, TimedSpeech } from "./speech-encoder.ts";
import { createStoredSentences } from "./stored-sentences.ts";

/** Origin of the packets of a cacheable sentence. `shared`: another reply is being given the same sentence. Stable, for counters. */
export type CacheResult = (typeof cacheResults)[number];
export const cacheResults = ["hit", "shared", "miss"] as const;

/** A synthesis that may be shared, and its urgency: the rank of its priority, and the time at which it was due. */
interface Running {
  readonly sequence: SharedSequence<SpokenPacket>;
  readonly rank: number;
  readonly due: number;
}

const longestText = 2048;

/**
 * Keeps the packets of sentences in front of an encoder, because a repeatable engine makes the same ones again. A sentence of
 * at most 2,048 characters is kept once it was spoken to its end without an error. Replies that need the same sentence at the
 * same time share one synthesis, unless it is less urgent than they are. It goes as fast as the fastest of them reads. The cache keeps at most `maxBytes` of packets, those
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
  /** The most urgent synthesis of each sentence. */
  const running = new Map<string, Running>();

  function synthesize(key: string, engine: TtsEngine, request: TimedSpeech): Running {
    const sequence = createSharedSequence((signal) => encoder.speak(engine, request, signal), {
      onEnd(packets) {
        if (running.get(key) === started) running.delete(key);
        if (packets !== undefined)
          stored.add(
            key,
            packets.map(({ body }) => body),
          );
      },
    });
    const started = { sequence, ...urgencyOf(request) };
    running.set(key, started);
    return started;
  }

  /** Returns the running synthesis of a sentence, if it is as urgent as this request. */
  function findRunning(key: string, request: TimedSpeech): Running | undefined {
    const found = running.get(key);
    if (!found) return undefined;
    const { rank, due } = urgencyOf(request);
    return found.rank <= rank && found.due <= due ? found : undefined;
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
      const shared = bodies ? undefined : findRunning(key, request);
      onLookup(bodies ? "hit" : shared ? "shared" : "miss");
      if (bodies) for (const body of bodies) yield { body, repeatable: true, engine: engine.name };
      else yield* (shared ?? synthesize(key, engine, request)).sequence.read(signal);
    },
  };
}

function urgencyOf({ turn, deadline }: TimedSpeech): Pick<Running, "rank" | "due"> {
  return { rank: priorities.indexOf(turn?.priority ?? "high"), due: deadline?.().due ?? readClock() };
}

function keyOf({ name }: TtsEngine, { text, voice, speed = 1, language }: SpeechRequest): string {
  return JSON.stringify([name, voice, speed, language, text]);
}
