import type { Log } from "@voxbus/subscriber";
import { createWorkerPool } from "@voxbus/workers";
import type { EncodeContract } from "./encode-worker.ts";
import { type SpeechRequest, type TtsEngine, TtsError } from "./engines/engine.ts";
import { splitText } from "./split-text.ts";

/** The duration of every packet (ms). */
export const packetMs = 60;

/** One Opus packet: 24 kHz, mono, 60 ms. */
export interface SpokenPacket {
  readonly body: Uint8Array<ArrayBuffer>;
  /** True if this packet comes again at this place when any tts speaks the sentence. */
  readonly repeatable: boolean;
  /** The name of the engine. */
  readonly engine: string;
}

/** The load of the encoder's threads. */
export interface EncoderLoad {
  /** The time that one packet of 60 ms takes in a thread (ms): the mean over about the latest 200. */
  readonly costMs: number;
  /** The sentences in the threads, and those that wait for one. */
  readonly sentences: number;
  /** The number of threads that run. */
  readonly threads: number;
  /** The largest number of threads. */
  readonly mostThreads: number;
}

/** Turns the sound of engines into Opus packets, in worker threads. */
export interface SpeechEncoder {
  /** Speaks a text with an engine, piece by piece, as fast as the packets are read. Throws TtsError or the signal's reason. */
  speak(engine: TtsEngine, request: SpeechRequest, signal: AbortSignal): AsyncIterable<SpokenPacket>;
  /** Returns the present load. */
  load(): EncoderLoad;
  /** Ends every running task and the threads. */
  close(): Promise<void>;
}

// Measured: 60 ms of speech at 24 kHz. It stands until packets are measured here.
const usualCostMs = 0.5;
const meanOver = 200;
const tasksPerThread = 256;
const maxWaiting = 10_000;

/** Starts the threads. `onSynthesized` gets the time that an engine took for a piece of text (ms). */
export async function createSpeechEncoder(options: {
  readonly threads: number;
  readonly onSynthesized: (engine: string, ms: number) => void;
  readonly log?: Pick<Log, "warn">;
}): Promise<SpeechEncoder> {
  const { log } = options;
  const encoders = createWorkerPool<EncodeContract>({
    url: new URL("../dist/encode-worker.js", import.meta.url),
    size: options.threads,
    workerData: null,
    perWorker: tasksPerThread,
    maxWaiting,
    onLoss: "resume",
    onLost: (err) => log?.warn({ err }, "worker thread lost, replacing"),
  });
  await encoders.ready();
  let costMs = usualCostMs;

  async function* speakPiece(engine: TtsEngine, request: SpeechRequest, signal: AbortSignal) {
    const left = new AbortController();
    const stop = AbortSignal.any([signal, left.signal]);
    const task = encoders.open(null, signal);
    async function feed() {
      const began = performance.now();
      try {
        for await (const sound of engine.synthesize(request, stop)) task.write(sound, [sound.samples.buffer]);
        options.onSynthesized(engine.name, performance.now() - began);
      } finally {
        task.end();
      }
    }
    const fed = feed();
    // Awaited below, unless the reader leaves first.
    fed.catch(() => undefined);
    try {
      for await (const packet of task.results) {
        costMs += (packet.costMs - costMs) / meanOver;
        yield { body: packet.body, repeatable: engine.repeatable, engine: engine.name };
      }
      await fed;
    } finally {
      left.abort(new TtsError("failed", "the reader left before the end"));
    }
  }

  return {
    async *speak(engine, request, signal) {
      // One piece after the other: a text of any length costs no more memory than a piece.
      for (const text of splitText(request.text, engine.longestText))
        yield* speakPiece(engine, { ...request, text }, signal);
    },
    load: () => ({
      costMs,
      sentences: encoders.busy + encoders.waiting,
      threads: encoders.threads,
      mostThreads: options.threads,
    }),
    close: () => encoders.close(),
  };
}
