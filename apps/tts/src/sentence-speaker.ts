import type { Log } from "@voxbus/subscriber";
import type { SpeechRequest, TtsEngine } from "./engines/engine.ts";
import type { PreferredEngines } from "./engines/preference.ts";
import type { TtsMetrics } from "./metrics.ts";
import { latinShare } from "./script.ts";
import { createSpeechEncoder, type SpokenPacket } from "./speech-encoder.ts";

/** A sentence and the engine that is preferred for it. */
export interface SentenceRequest extends SpeechRequest {
  readonly engine?: string | undefined;
}

/** Turns sentences into packets, with the engine that can speak them. */
export interface SentenceSpeaker {
  /**
   * Speaks one sentence. If it has a word, the packets are never silent: the first engine that speaks the sentence is
   * used (`engine` before the others), then the next if it fails, then an English sentence of the fallback that says so.
   * Throws if even the fallback fails, or the signal's reason.
   */
  speak(request: SentenceRequest, signal: AbortSignal): AsyncIterable<SpokenPacket>;
  /** Says in English that something went wrong, with the fallback. */
  apologize(signal: AbortSignal): AsyncIterable<SpokenPacket>;
  /** Ends every running sentence and the threads. The engines stay open. */
  close(): Promise<void>;
}

/** Dependencies of a sentence speaker. */
export interface SentenceSpeakerDeps extends PreferredEngines {
  readonly log: Pick<Log, "warn">;
  readonly metrics: Pick<TtsMetrics, "engineFailed" | "synthesized">;
  /** Number of worker threads that resample and encode. */
  readonly threads: number;
}

const apology = "Sorry, something went wrong.";
const unspeakable = "I cannot speak this language yet.";

/** Creates a sentence speaker and starts its threads. */
export async function createSentenceSpeaker(deps: SentenceSpeakerDeps): Promise<SentenceSpeaker> {
  const { engines, fallback, log, metrics, threads } = deps;
  const encoder = await createSpeechEncoder({
    threads,
    onSynthesized: (engine, ms) => metrics.synthesized(engine, ms),
    log,
  });

  /** The engines that speak the sentence, in order. Text that is mostly Latin is at least tried by the fallback. */
  function choose(request: SentenceRequest): readonly TtsEngine[] {
    const preferred = engines.filter(({ name }) => name === request.engine);
    const able = [...new Set([...preferred, ...engines])].filter((engine) => engine.speaks(request));
    return able.length === 0 && latinShare(request.text) > 0.5 ? [fallback] : able;
  }

  async function* speak(request: SentenceRequest, signal: AbortSignal): AsyncGenerator<SpokenPacket> {
    const chosen = choose(request);
    for (const engine of chosen) {
      let spoken = false;
      try {
        for await (const packet of encoder.speak(engine, request, signal)) {
          spoken = true;
          // Packets of a stand-in do not repeat: the next time, the first engine may speak the sentence.
          yield { ...packet, repeatable: packet.repeatable && engine === chosen[0] };
        }
        return;
      } catch (err) {
        signal.throwIfAborted();
        metrics.engineFailed(engine.name);
        log.warn({ err, engine: engine.name }, "synthesis failed");
        // The part that was spoken already must not be repeated by another voice.
        if (spoken) break;
      }
    }
    if (chosen.length === 0) yield* encoder.speak(fallback, { text: unspeakable }, signal);
    else for await (const packet of apologize(signal)) yield { ...packet, repeatable: false };
  }

  function apologize(signal: AbortSignal): AsyncIterable<SpokenPacket> {
    return encoder.speak(fallback, { text: apology }, signal);
  }

  return { speak, apologize, close: () => encoder.close() };
}
