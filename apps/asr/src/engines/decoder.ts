import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import createModule from "soundswallower";

/** What a decoder listens for: a finite-state grammar in Sphinx's FSG text, and how its words are spoken. */
export interface Grammar {
  readonly fsg: string;
  /** Pronunciations in the model's phones, for words that its dictionary lacks or says otherwise. */
  readonly pronunciations: Readonly<Record<string, string>>;
}

/** One decoder: 10.9 MB of wasm memory that is never given back, hence to be used again and again. */
export interface Decoder {
  /**
   * The words of a whole utterance at 16 kHz. The same samples give the same words, whatever was decoded before and
   * however loud they are.
   */
  decode(samples: Int16Array): Promise<readonly string[]>;
  /** Begins an utterance whose words are wanted while it is spoken. */
  start(): void;
  /** Takes more of it and gives the words so far: a guess, coloured by what was decoded before. */
  guess(samples: Int16Array): readonly string[];
  /** Ends it; must be called before anything else is begun. */
  stop(): void;
}

// What the wasm module exports beyond its type definitions.
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

const FULL_SCALE = 32_768;
// Uniform noise of this peak lies at -60 dBFS: in digital silence the front end loses whole sentences.
const DITHER_PEAK = 0.001 * Math.sqrt(3);
// Utterances are brought to this peak: at -20 dB a quarter of the sentences was lost without.
const NORMAL_PEAK = 0.5;
const MAX_GAIN = 30;

/**
 * Loads the acoustic model of a language ("en-us") and gives the function that makes decoders of a grammar, all in one
 * wasm module. Making one throws, naming them, if words of the grammar have no pronunciation.
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
  // Its glue rethrows from a handler of its own what ends the process or thread, and so hides the error from the owner.
  for (const guard of process.listeners("uncaughtException"))
    if (!guards.includes(guard)) process.off("uncaughtException", guard);
  const wasm = module as unknown as Exports;

  // The library's own loader writes its end mark one byte past the block, which corrupts the heap at some sizes.
  function loadText(text: string): number {
    const bytes = Buffer.from(text);
    const address = wasm._malloc(bytes.length + 1);
    if (address === 0) throw new Error(`the recogniser has no memory left for ${bytes.length} bytes`);
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
        throw new Error(`the recogniser refused its dictionary: ${complaints.join("; ")}`);
    };
    await sphinx.initialize();
    // A word without a pronunciation does not fail in the library, it traps the whole module.
    const unspeakable = words.filter((word) => sphinx.lookup_word(word) === null);
    if (unspeakable.length > 0)
      throw new Error(`words of the grammar without a pronunciation in ${model}: ${unspeakable.join(", ")}`);
    if (wasm._decoder_init_grammar_s3file(inner.cdecoder, loadText(grammar.fsg), 0) < 0)
      throw new Error(`the recogniser refused its grammar: ${complaints.join("; ")}`);

    const read = () => sphinx.get_text().split(" ").filter(Boolean);
    return {
      async decode(samples) {
        if (samples.length === 0) return [];
        const peak = samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 1);
        // What the front end learned of the noise in earlier utterances would last.
        await sphinx.reinitialize_audio();
        sphinx.start();
        // Given as a whole, its cepstral mean is its own; live, the mean of earlier utterances stands in for it, and the
        // first sentence of a new decoder or of another voice suffers.
        sphinx.process_audio(dither(samples, Math.min(MAX_GAIN, (NORMAL_PEAK * FULL_SCALE) / peak)), false, true);
        sphinx.stop();
        return read();
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

function dither(samples: Int16Array, gain: number): Float32Array {
  let seed = 1;
  return Float32Array.from(samples, (sample) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return (sample * gain) / FULL_SCALE + (seed / 2 ** 31 - 1) * DITHER_PEAK;
  });
}

function listWords(fsg: string): string[] {
  const arcs = fsg.matchAll(/^(?:TRANSITION|T)(?: +\S+){3} +(\S+)$/gm);
  return [...new Set([...arcs].map((arc) => arc[1]!))];
}

// Start-up takes 218 ms and 46 MB a decoder with the whole dictionary of 134,000 words, a fifth of it with a cut one.
function cutDictionary(dictionary: string, words: readonly string[], { pronunciations }: Grammar): string {
  const wanted = new Set(words.filter((word) => pronunciations[word] === undefined));
  const known = dictionary.split("\n").filter((line) => wanted.has(/^[^\s(]+/.exec(line)?.[0] ?? ""));
  const own = words.filter((word) => !wanted.has(word)).map((word) => `${word} ${pronunciations[word]}`);
  return `${[...known, ...own].join("\n")}\n`;
}
