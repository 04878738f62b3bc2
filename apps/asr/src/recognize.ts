import type { Heard } from "@voxbus/protocol";
import type { AsrEngine, Completion, Recognition, RecognitionRequest } from "./engines/engine.ts";

/** The result of a recognition. */
export type Recognized = Pick<Heard, "text" | "language" | "confidence" | "reason">;

/** The recognition of one utterance. A failure of the engine is reported, and is a result with the reason `failed`. */
export interface UtteranceRecognition {
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
  readonly onFailed: (error: unknown) => void;
}

/** Opens a recognition with the engine. */
export function openRecognition(
  engine: AsrEngine,
  { onFailed, transcriptMs, ...request }: UtteranceRequest,
  signal: AbortSignal,
): UtteranceRecognition {
  const abort = new AbortController();
  const failed: Recognized = { text: "", language: request.language, reason: "failed" };

  let recognition: Recognition | undefined;
  try {
    recognition = engine.open(request, AbortSignal.any([signal, abort.signal]));
  } catch (error) {
    onFailed(error);
  }

  return {
    write: (samples) => recognition?.write(samples),
    judgePause: async () => (await recognition?.judgePause?.()) ?? "unknown",
    async finish() {
      const late = new Error(`expected a transcript from the ${engine.name} engine within ${transcriptMs} ms`);
      const timer = setTimeout(() => abort.abort(late), transcriptMs);
      try {
        return (await recognition?.finish()) ?? failed;
      } catch (error) {
        signal.throwIfAborted();
        if (error !== discarded) onFailed(error);
        return failed;
      } finally {
        clearTimeout(timer);
      }
    },
    discard: () => abort.abort(discarded),
  };
}
