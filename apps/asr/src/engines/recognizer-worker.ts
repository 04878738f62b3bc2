import { setImmediate } from "node:timers/promises";
import { serveWorker } from "@voxbus/workers";
import { joinSamples } from "../join-samples.ts";
import { createDecoderFactory, type Decoder, type Grammar } from "./decoder.ts";

/** The contract between the embedded engine and its threads. One task is one utterance. */
export interface RecognizerContract {
  readonly data: {
    readonly model: string;
    readonly grammar: Grammar;
    /** The prefix of words that stand for speech outside the grammar. */
    readonly garbagePrefix: string;
  };
  readonly request: { readonly partials: boolean };
  /** Samples at 16 kHz. */
  readonly input: Int16Array;
  /** The text whenever it changes, then the final text. It is empty for speech outside the grammar. */
  readonly result: { readonly text: string; readonly final: boolean };
}

await serveWorker<RecognizerContract>(async ({ model, grammar, garbagePrefix }) => {
  const createDecoder = await createDecoderFactory(model, grammar);
  const idle: Decoder[] = [await createDecoder()];
  const accept = (words: readonly string[]) =>
    words.some((word) => word.startsWith(garbagePrefix)) ? "" : words.join(" ");

  return async function* recognize({ partials }, { input, signal }) {
    const decoder = idle.pop() ?? (await createDecoder());
    const spoken: Int16Array[] = [];
    let text = "";
    try {
      decoder.start();
      try {
        for await (const samples of input) {
          spoken.push(samples);
          const guess = partials ? accept(decoder.guess(samples)) : "";
          if (guess !== "" && guess !== text) yield { text: guess, final: false };
          text = guess;
        }
      } finally {
        decoder.stop();
        // Aborts that came during other utterances are heard now.
        await setImmediate();
        text = signal.aborted ? "" : accept(await decoder.decode(joinSamples(...spoken)));
        idle.push(decoder);
      }
    } catch (error) {
      // After a trap the memory of the wasm module is in an unknown state. A new thread takes over.
      if (error instanceof Error && error.name === "RuntimeError") process.exit(1);
      throw error;
    }
    yield { text, final: true };
  };
});
