import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createResampler, readWav } from "@voxbus/audio";
import createModule from "soundswallower";

const sampleRate = 16_000;
// At -60 dBFS. In digital silence the front end of the recognizer loses whole sentences.
const ditherPeak = 0.001 * Math.sqrt(3);

/** Wrong sentences, from which the recognizer must tell the right one. */
export const decoys: readonly string[] = [
  ...["one", "two", "three", "five", "seven", "eight", "ten", "eleven", "thirteen", "twenty"].map(
    (n) => `that is ${n}`,
  ),
  "it is half past nine",
  "today is monday",
  "the timer is set",
  "the light is off",
  "the volume is now ten percent",
  "you are welcome",
  "goodbye",
  "i do not know that",
  "what do you call a fish without eyes",
  "how are you today my friend",
  "once upon a time there was a king",
  "say something else to me please",
  "i am sorry i did not hear anything",
  "the battery is at sixty percent",
  "what is nine plus five",
  "what is seven minus four",
];

/** The words of a device before its answer, if the machine is busy. */
const notice = "one moment i am busy";

/**
 * Creates an independent recognizer that returns which of the sentences a WAV contains, without the notice before it. Throws an
 * error that names words missing from its dictionary.
 */
export async function createRecognizer(sentences: readonly string[]): Promise<(wav: Uint8Array) => string> {
  const before = process.listeners("uncaughtException");
  const modelBase = join(dirname(fileURLToPath(import.meta.resolve("soundswallower"))), "model/");
  const module = await createModule({ modelBase, print: () => undefined, printErr: () => undefined } as object);
  // The WASM glue would hide a test's errors from vitest.
  for (const listener of process.listeners("uncaughtException")) {
    if (!before.includes(listener)) process.off("uncaughtException", listener);
  }
  const decoder = new module.Decoder({
    hmm: module.get_model_path("en-us"),
    samprate: sampleRate,
    loglevel: "ERROR",
  });
  await decoder.initialize();
  const words = new Set(sentences.flatMap((sentence) => sentence.split(" ")));
  const unknown = [...words].filter((word) => decoder.lookup_word(word) === null);
  if (unknown.length > 0) throw new Error(`the recognizer has no pronunciation for ${unknown.join(", ")}`);
  decoder.set_grammar(`#JSGF V1.0; grammar answers; public <answer> = [${notice}] (${sentences.join(" | ")});`);
  return (wav) => {
    decoder.start();
    decoder.process_audio(prepare(wav), false, true);
    decoder.stop();
    return decoder.get_text().replace(`${notice} `, "");
  };
}

function prepare(wav: Uint8Array): Float32Array {
  const { samples, sampleRate: from } = readWav(wav);
  const resampler = createResampler(from, sampleRate);
  const parts = [resampler.write(samples), resampler.flush()];
  let seed = 1;
  return Float32Array.from(
    parts.flatMap((part) => [...part]),
    (sample) => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return sample / 32_768 + (seed / 2 ** 31 - 1) * ditherPeak;
    },
  );
}
