import { serveWorker } from "@voxbus/workers";
import { joinSamples } from "../join-samples.ts";
import { createDecoderFactory, type Decoder, type Decoding, type Grammar } from "./decoder.ts";

/** The contract between the embedded engine and its threads. One task is one utterance. */
export interface RecognizerContract {
  readonly data: {
    readonly model: string;
    readonly grammar: Grammar;
    /** The prefix of words that stand for speech outside the grammar. */
    readonly garbagePrefix: string;
  };
  readonly request: { readonly partials: boolean };
  /** Samples at 16 kHz, or a pause in which the words so far are wanted. */
  readonly input: Int16Array | "pause";
  /** The text whenever it changes and at each pause, and in the end the words of the whole utterance. */
  readonly result:
    | { readonly type: "partial"; readonly text: string }
    | { readonly type: "pause"; readonly text: string }
    | ({ readonly type: "end" } & Decoding);
}

/**
 * The utterance that ended first is recognized first, then pauses in which the words are wanted, then partial transcripts. Two
 * steps of the decoder cannot be divided: a piece of speech, and a whole utterance. No abort is heard in them.
 */
await serveWorker<RecognizerContract>(
  async ({ model, grammar, garbagePrefix }) => {
    const createDecoder = await createDecoderFactory(model, grammar);
    const idle: Decoder[] = [await createDecoder()];
    const accept = (words: readonly string[]) =>
      words.some((word) => word.startsWith(garbagePrefix)) ? "" : words.join(" ");

    return async function* recognize({ partials }, task) {
      const decoder = idle.pop() ?? (await createDecoder());
      const spoken: Int16Array[] = [];
      let text = "";
      let decoding: Decoding = { words: [], confidence: 0 };
      try {
        decoder.start();
        try {
          for await (const piece of task.input) {
            if (piece === "pause") {
              yield { type: "pause", text };
              continue;
            }
            spoken.push(piece);
            // The words of the whole utterance come next.
            if (task.ended) continue;
            const guess = partials ? accept(decoder.guess(piece)) : "";
            if (guess !== "" && guess !== text) yield { type: "partial", text: guess };
            text = guess;
          }
        } finally {
          decoder.stop();
        }
        decoding = await decoder.decode(joinSamples(...spoken));
      } catch (error) {
        // After a trap the memory of the wasm module is in an unknown state. A new thread takes over.
        if (error instanceof Error && error.name === "RuntimeError") process.exit(1);
        throw error;
      } finally {
        idle.push(decoder);
      }
      yield { type: "end", ...decoding };
    };
  },
  { isUrgent: (piece) => piece === "pause" },
);
