import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import createModule, { type Segment } from "soundswallower";

/** A finite-state grammar in Sphinx's FSG format, with pronunciations of its words. */
export interface Grammar {
  readonly fsg: string;
  /** Pronunciations in the model's phones, for words that its dictionary lacks or pronounces differently. */
  readonly pronunciations: Readonly<Record<string, string>>;
}

/** The words of an utterance. */
export interface Decoding {
  readonly words: readonly string[];
  /** How well the sounds fit the words, 0 to 1: about 0.6 for speech in a quiet room, 0.4 for a slam taken for a word. */
  readonly confidence: number;
}

/** One decoder. It takes 10.9 MB of wasm memory, which are never freed, so decoders are reused. */
export interface Decoder {
  /**
   * Decodes a whole utterance at 16 kHz. The same samples give the same words, whatever was decoded before and however
   * loud they are.
   */
  decode(samples: Int16Array): Promise<Decoding>;
  /** Begins an utterance, to guess its words while it is spoken. */
  start(): void;
  /** Takes more of it and returns the words so far. This is a guess, which depends on what was decoded before. */
  guess(samples: Int16Array): readonly string[];
  /** Ends the utterance. Must be called before the next `start` or `decode`. */
  stop(): void;
}

// Exports of the wasm module that its type definitions lack.
interface Exports {
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _s3file_init(address: number, bytes: number): number;
  _decoder_init_dict_s3file(decoder: number, dictionary: number, fillers: number): number;
  _decoder_init_grammar_s3file(decoder: number, fsg: number, jsgf: number): number;
}
interface Internals {
  readonly cdecoder: number;
  init_dict(): Promise<void>;
}

const fullScale = 32_768;
// Uniform noise with this peak is at -60 dBFS. In digital silence the front end loses whole sentences.
const ditherPeak = 0.001 * Math.sqrt(3);
// Utterances are brought to this peak. Without that, a quarter of the sentences is lost at -20 dB.
const normalPeak = 0.5;
const maxGain = 30;
const framesPerSecond = 100;
// Spreads the decoder's values, which are all close to 1.
const confidenceScale = 150;

/**
 * Loads the acoustic model of a language ("en-us") and returns a function that creates decoders of a grammar, all in one
 * wasm module. That function throws, with their names, if words of the grammar have no pronunciation.
 */
export async function createDecoderFactory(model: string, grammar: Grammar): Promise<() => Promise<Decoder>> {
  // In Node this path must be absolute and end in a slash.
  const modelBase = join(dirname(createRequire(import.meta.url).resolve("soundswallower")), "model/");
  const words = listWords(grammar.fsg);
  const dictionary = cutDictionary(await readFile(join(modelBase, model, "dict.txt"), "utf8"), words, grammar);
  const fillers = await readFile(join(modelBase, model, "noisedict.txt"), "utf8");
  const complaints: string[] = [];
  const complain = (line: string) => complaints.push(line);
  const guards = process.listeners("uncaughtException");
  const module = await createModule({ modelBase, print: complain, printErr: complain } as object);
  // The module's own handler would rethrow fatal errors, and so hide them from the owner of the thread.
  for (const guard of process.listeners("uncaughtException"))
    if (!guards.includes(guard)) process.off("uncaughtException", guard);
  const wasm = module as unknown as Exports;

  // The library's own loader writes its terminator one byte past the block, which corrupts the heap at some sizes.
  function loadText(text: string): number {
    const bytes = Buffer.from(text);
    const address = wasm._malloc(bytes.length + 1);
    if (address === 0) throw new Error(`the recognizer has no memory left for ${bytes.length} bytes`);
    wasm.HEAPU8.set(bytes, address);
    wasm.HEAPU8[address + bytes.length] = 0;
    return wasm._s3file_init(address, bytes.length);
  }

  return async () => {
    complaints.length = 0;
    const sphinx = new module.Decoder({ hmm: module.get_model_path(model), samprate: 16_000, loglevel: "ERROR" });
    const inner = sphinx as unknown as Internals;
    inner.init_dict = async () => {
      if (wasm._decoder_init_dict_s3file(inner.cdecoder, loadText(dictionary), loadText(fillers)) === 0)
        throw new Error(`the recognizer rejected its dictionary: ${complaints.join("; ")}`);
    };
    await sphinx.initialize();
    // In the library, a word without a pronunciation traps the whole module.
    const unspeakable = words.filter((word) => sphinx.lookup_word(word) === null);
    if (unspeakable.length > 0)
      throw new Error(`words of the grammar without a pronunciation in ${model}: ${unspeakable.join(", ")}`);
    if (wasm._decoder_init_grammar_s3file(inner.cdecoder, loadText(grammar.fsg), 0) < 0)
      throw new Error(`the recognizer rejected its grammar: ${complaints.join("; ")}`);

    const read = () => sphinx.get_text().split(" ").filter(Boolean);
    return {
      async decode(samples) {
        if (samples.length === 0) return { words: [], confidence: 0 };
        const peak = samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 1);
        // Otherwise the front end would keep its estimate of the noise in earlier utterances.
        await sphinx.reinitialize_audio();
        sphinx.start();
        // A whole utterance is normalized by its own cepstral mean. Live decoding uses the mean of earlier utterances, which
        // spoils the first sentence of a new decoder or of another voice.
        sphinx.process_audio(dither(samples, Math.min(maxGain, (normalPeak * fullScale) / peak)), false, true);
        sphinx.stop();
        return { words: read(), confidence: rate(sphinx.get_alignment().w ?? []) };
      },
      start: () => sphinx.start(),
      guess(samples) {
        sphinx.process_audio(dither(samples, 1));
        return read();
      },
      stop: () => sphinx.stop(),
    };
  };
}

/** Rates the words of a decoding, without the silence around them. The decoder's own values shrink with each frame. */
function rate(segments: readonly Segment[]): number {
  const words = segments.filter(({ t }) => /^[^<(]/.test(t));
  const frames = words.reduce((sum, { d }) => sum + d * framesPerSecond, 0);
  if (frames === 0) return 0;
  return Math.exp((confidenceScale * words.reduce((sum, { p }) => sum + Math.log(p), 0)) / frames);
}

function dither(samples: Int16Array, gain: number): Float32Array {
  let seed = 1;
  return Float32Array.from(samples, (sample) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return (sample * gain) / fullScale + (seed / 2 ** 31 - 1) * ditherPeak;
  });
}

function listWords(fsg: string): string[] {
  const arcs = fsg.matchAll(/^(?:TRANSITION|T)(?: +\S+){3} +(\S+)$/gm);
  return [...new Set([...arcs].map((arc) => arc[1]!))];
}

// With the whole dictionary of 134,000 words, a decoder takes 218 ms and 46 MB. With only the needed words, a fifth of it.
function cutDictionary(dictionary: string, words: readonly string[], { pronunciations }: Grammar): string {
  const wanted = new Set(words.filter((word) => !Object.hasOwn(pronunciations, word)));
  const known = dictionary.split("\n").filter((line) => wanted.has(/^[^\s(]+/.exec(line)?.[0] ?? ""));
  const own = words.filter((word) => !wanted.has(word)).map((word) => `${word} ${pronunciations[word]}`);
  return `${[...known, ...own].join("\n")}\n`;
}
