import { createWorkerPool } from "@voxbus/workers";
import type { EncodeContract } from "./encode-worker.ts";
import { type SpeechRequest, TtsError, type TtsEngine } from "./engines/engine.ts";
import { latinShare } from "./script.ts";

/** The duration of every packet, ms. */
export const packetMs = 60;

/** One Opus packet: 24 kHz, mono, 60 ms. */
export interface SpokenPacket {
  readonly body: Uint8Array<ArrayBuffer>;
  /** The same packet comes at this place whoever speaks the sentence again. */
  readonly repeatable: boolean;
  /** The name of the engine that spoke it. */
  readonly engine: string;
}

/** Turns sentences into packets, with the engine that can speak them. */
export interface Speech {
  /**
   * Speaks one sentence, always audibly if it has a word: by the first engine that speaks it (`engine` before the others),
   * by the next if this one fails, and if there is none, by an English sentence that says so. Throws when not even that
   * can be said, or the signal's reason.
   */
  speak(
    request: SpeechRequest & { readonly engine?: string | undefined },
    signal: AbortSignal,
  ): AsyncIterable<SpokenPacket>;
  /** Says that something went wrong, in English, by the fallback. */
  apologise(signal: AbortSignal): AsyncIterable<SpokenPacket>;
  /** Ends what runs, and the threads; the engines stay. */
  close(): Promise<void>;
}

const apology = "Sorry, something went wrong.";
const unspeakable = "I cannot speak this language yet.";
const tasksPerThread = 256;
const maxWaiting = 10_000;

/**
 * Makes speech of engines in order of preference; `fallback` is one that speaks English and needs nothing. `failed` hears
 * of every engine that could not do what it promised. Sound is resampled and encoded in `threads` worker threads.
 */
export async function createSpeech(options: {
  readonly engines: readonly TtsEngine[];
  readonly fallback: TtsEngine;
  readonly threads: number;
  readonly failed: (engine: string, error: unknown) => void;
  /** Hears how long an engine took for a piece of text, in ms. */
  readonly synthesized?: (engine: string, ms: number) => void;
}): Promise<Speech> {
  const { engines, fallback, threads, failed, synthesized } = options;
  const url = new URL("../dist/encode-worker.js", import.meta.url);
  const encoders = createWorkerPool<EncodeContract>({
    url,
    size: threads,
    workerData: null,
    perWorker: tasksPerThread,
    maxWaiting,
  });
  await encoders.ready();

  async function* speakPiece(
    engine: TtsEngine,
    request: SpeechRequest,
    signal: AbortSignal,
  ): AsyncGenerator<SpokenPacket> {
    const left = new AbortController();
    const stop = AbortSignal.any([signal, left.signal]);
    const task = encoders.open(null, signal);
    const feed = async () => {
      const began = performance.now();
      try {
        for await (const sound of engine.synthesize(request, stop)) task.write(sound, [sound.samples.buffer]);
        synthesized?.(engine.name, performance.now() - began);
      } finally {
        task.end();
      }
    };
    const fed = feed();
    // Heard below; a reader that leaves before is not told.
    fed.catch(() => undefined);
    try {
      for await (const body of task.results) yield { body, repeatable: engine.repeatable, engine: engine.name };
      await fed;
    } finally {
      left.abort(new TtsError("failed", "nobody listens"));
    }
  }

  async function* speakWith(
    engine: TtsEngine,
    request: SpeechRequest,
    signal: AbortSignal,
  ): AsyncGenerator<SpokenPacket> {
    // One after the other, as fast as they are read: a text of any length costs no more than a piece at a time.
    for (const text of splitText(request.text, engine.longestText))
      yield* speakPiece(engine, { ...request, text }, signal);
  }

  /** The engines that would speak it; an English voice tries what is mostly Latin before it is refused. */
  const choose = (request: Parameters<Speech["speak"]>[0]): readonly TtsEngine[] => {
    const preferred = engines.filter(({ name }) => name === request.engine);
    const able = [...new Set([...preferred, ...engines])].filter((engine) => engine.speaks(request));
    return able.length === 0 && latinShare(request.text) > 0.5 ? [fallback] : able;
  };

  async function* speak(request: Parameters<Speech["speak"]>[0], signal: AbortSignal): AsyncGenerator<SpokenPacket> {
    const chosen = choose(request);
    for (const engine of chosen) {
      let spoken = false;
      try {
        for await (const packet of speakWith(engine, request, signal)) {
          spoken = true;
          // A stand-in's packets are not those of the engine that may speak the sentence the next time.
          yield { ...packet, repeatable: packet.repeatable && engine === chosen[0] };
        }
        return;
      } catch (error) {
        signal.throwIfAborted();
        failed(engine.name, error);
        // What was said already must not be said again by another voice.
        if (spoken) break;
      }
    }
    if (chosen.length === 0) yield* speakWith(fallback, { text: unspeakable }, signal);
    else
      for await (const packet of speakWith(fallback, { text: apology }, signal)) yield { ...packet, repeatable: false };
  }

  return {
    speak,
    apologise: (signal) => speakWith(fallback, { text: apology }, signal),
    close: () => encoders.close(),
  };
}

/** Pieces of at most so many characters, cut where a pause is least noticed. */
function splitText(text: string, most: number): readonly string[] {
  const pieces: string[] = [];
  let rest = text;
  while (rest.length > most) {
    const head = rest.slice(0, most);
    const pauses = Array.from(head.matchAll(/[.!?;:,](?=\s)|[。！？；：，、]/gu), ({ index }) => index + 1);
    const pause = pauses.findLast((at) => at > most / 3);
    const at = pause ?? (head.lastIndexOf(" ") + 1 || most);
    pieces.push(rest.slice(0, at));
    rest = rest.slice(at);
  }
  return [...pieces, rest];
}
