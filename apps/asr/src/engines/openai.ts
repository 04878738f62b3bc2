import { writeWav } from "@voxbus/audio";
import OpenAI, { toFile } from "openai";
import type { AsrEngine } from "./engine.ts";
import { joinSamples } from "./join-samples.ts";

/**
 * Recognises through an OpenAI-compatible `/audio/transcriptions` endpoint: one upload of a WAV when the utterance has
 * ended, so without partials. At most `slots` requests run at once, each for at most `timeoutMs`; none is repeated.
 */
export function createOpenAiEngine(options: {
  /** As in "http://localhost:8000/v1"; OpenAI's own when left out. */
  readonly url?: string | undefined;
  readonly model: string;
  /** Most local servers take any. */
  readonly key?: string | undefined;
  readonly slots: number;
  readonly timeoutMs: number;
}): AsrEngine {
  const { url, model, key = "none", slots, timeoutMs } = options;
  const client = new OpenAI({ baseURL: url ?? "https://api.openai.com/v1", apiKey: key, maxRetries: 0 });
  const closing = new AbortController();
  const gate = createGate(slots);

  return {
    name: "openai",
    slots,
    open({ language }, signal) {
      signal.throwIfAborted();
      const chunks: Int16Array[] = [];
      return {
        write: (samples) => void chunks.push(samples.slice()),
        async finish() {
          const open = AbortSignal.any([signal, closing.signal]);
          const leave = await gate.enter(open);
          try {
            const wav = writeWav({ sampleRate: 16_000, samples: joinSamples(...chunks) });
            const { text } = await client.audio.transcriptions.create(
              // The language goes as ISO 639-1, which is what the endpoint documents.
              { file: await toFile(wav, "utterance.wav"), model, language: language.split("-")[0]! },
              { signal: AbortSignal.any([open, AbortSignal.timeout(timeoutMs)]) },
            );
            const heard = text.trim();
            return heard === "" ? { text: heard, language, reason: "unrecognised" } : { text: heard, language };
          } catch (cause) {
            open.throwIfAborted();
            throw new Error(`the transcription endpoint failed or took over ${timeoutMs} ms`, { cause });
          } finally {
            leave();
          }
        },
      };
    },
    async close() {
      closing.abort(new Error("the openai engine is closed"));
    },
  };
}

/** Lets `places` in at once and the others in order as those leave; the signal ends the wait. */
function createGate(places: number) {
  const waiting = new Set<() => void>();
  let inside = 0;
  const leave = () => {
    const [next] = waiting;
    // The place passes on at once: nobody who comes in between may take it.
    if (next === undefined) inside -= 1;
    else next();
  };
  return {
    async enter(signal: AbortSignal): Promise<() => void> {
      signal.throwIfAborted();
      if (inside < places) {
        inside += 1;
        return leave;
      }
      return new Promise((resolve, reject) => {
        const settle = () => {
          waiting.delete(admit);
          signal.removeEventListener("abort", abandon);
        };
        const admit = () => {
          settle();
          resolve(leave);
        };
        const abandon = () => {
          settle();
          reject(signal.reason as Error);
        };
        waiting.add(admit);
        signal.addEventListener("abort", abandon, { once: true });
      });
    },
  };
}
