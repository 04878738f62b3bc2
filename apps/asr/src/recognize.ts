import type { Heard } from "@voxbus/protocol";
import type { Completion, Recognition } from "./engines/engine.ts";
import type { ListenDeps } from "./listen-deps.ts";

/** The result of a recognition. */
export type Recognized = Pick<Heard, "text" | "language" | "confidence" | "reason">;

/** The recognition of one utterance. A failure of the engine is logged, and is a result with the reason `failed`. */
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

/** Opens a recognition with the engine. */
export function openRecognition(
  { engine, log, settings }: Pick<ListenDeps, "engine" | "log" | "settings">,
  request: { readonly language: string; readonly onPartial: (text: string) => void },
  signal: AbortSignal,
): UtteranceRecognition {
  const { transcriptMs } = settings;
  const abort = new AbortController();
  const failed: Recognized = { text: "", language: request.language, reason: "failed" };
  const logFailure = (err: unknown) => log.warn({ err, engine: engine.name }, "recognition failed");

  let recognition: Recognition | undefined;
  try {
    recognition = engine.open(request, AbortSignal.any([signal, abort.signal]));
  } catch (error) {
    logFailure(error);
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
        if (error !== discarded) logFailure(error);
        return failed;
      } finally {
        clearTimeout(timer);
      }
    },
    discard: () => abort.abort(discarded),
  };
}
