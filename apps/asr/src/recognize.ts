import { failures, readFailure } from "@voxbus/engines";
import type { Heard } from "@voxbus/protocol";
import type { AsrEngine, Completion, Recognition, RecognitionRequest } from "./engines/engine.ts";

/** The result of a recognition. */
export type Recognized = Pick<Heard, "text" | "language" | "confidence" | "reason">;

/** The recognition of one utterance. A failure of the engine is reported, and is a result with the reason `failed`. */
export interface UtteranceRecognition {
  /** The engine that recognizes it now. */
  readonly engine: AsrEngine;
  /** Takes more speech, 16 kHz mono. */
  write(samples: Int16Array): void;
  /** Judges the words so far, in a pause. Never rejects. */
  judgePause(): Promise<Completion>;
  /** Ends the utterance and resolves with its result within `transcriptMs`. Throws the signal's reason. */
  finish(): Promise<Recognized>;
  /** Gives the utterance up. */
  discard(): void;
}

const discarded = new Error("the utterance was discarded");

/** The request of a recognition. `transcriptMs` is the longest time from the end of the utterance to its result. */
export interface UtteranceRequest extends RecognitionRequest {
  readonly transcriptMs: number;
  /** Called for each engine that fails. */
  readonly onFailed: (error: unknown, engine: AsrEngine) => void;
}

/**
 * Opens a recognition with the first engine. If the service of one fails, the next one gets the whole utterance. All of them
 * together have `transcriptMs`.
 */
export function openRecognition(
  engines: readonly AsrEngine[],
  { onFailed, transcriptMs, ...request }: UtteranceRequest,
  signal: AbortSignal,
): UtteranceRecognition {
  const abort = new AbortController();
  const running = AbortSignal.any([signal, abort.signal]);
  const failed: Recognized = { text: "", language: request.language, reason: "failed" };
  /** The speech so far, for the engines behind the current one. */
  const spoken: Int16Array[] = [];
  const behind = [...engines];
  let engine = behind[0]!;
  let recognition = openNext();

  function mayPass(error: unknown): boolean {
    return !running.aborted && failures[readFailure(error)].failsOver;
  }
  function openNext(): Recognition | undefined {
    for (let next = behind.shift(); next !== undefined; next = behind.shift()) {
      engine = next;
      try {
        const opened = engine.open(request, running);
        for (const samples of spoken) opened.write(samples);
        return opened;
      } catch (error) {
        onFailed(error, engine);
        if (!mayPass(error)) return undefined;
      }
    }
    return undefined;
  }

  return {
    get engine() {
      return engine;
    },
    write(samples) {
      if (behind.length > 0) spoken.push(samples);
      recognition?.write(samples);
    },
    judgePause: async () => (await recognition?.judgePause?.()) ?? "unknown",
    async finish() {
      const late = new Error(`expected a transcript from the ${engine.name} engine within ${transcriptMs} ms`);
      const timer = setTimeout(() => abort.abort(late), transcriptMs);
      try {
        while (recognition !== undefined) {
          try {
            return await recognition.finish();
          } catch (error) {
            signal.throwIfAborted();
            if (error !== discarded) onFailed(error, engine);
            recognition = mayPass(error) ? openNext() : undefined;
          }
        }
        return failed;
      } finally {
        clearTimeout(timer);
      }
    },
    discard: () => abort.abort(discarded),
  };
}
