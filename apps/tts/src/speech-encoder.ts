import type { Log } from "@voxbus/subscriber";
import type { PoolRecorder } from "@voxbus/pools";
import { createWorkerPool, readClock, watchLateness, type WorkerPoolOptions } from "@voxbus/workers";
import type { EncodeContract, SoundDeadline } from "./encode-worker.ts";
import { type Sound, type SpeechRequest, type TtsEngine, TtsError } from "./engines/engine.ts";
import { passPackets } from "./pass-packets.ts";
import { createSoundFeed } from "./sound-feed.ts";
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

/** A text to speak, and by when. */
export interface TimedSpeech extends SpeechRequest {
  /** Returns the deadline of the packets that come next. Without it they are due at once. */
  readonly deadline?: (() => SoundDeadline) | undefined;
}

/** The load of the encoder's threads. */
export interface EncoderLoad {
  /** The time that one packet of 60 ms takes in a thread (ms): the mean over about the latest 200. */
  readonly costMs: number;
  /** The sentences in the threads, and those that wait for one. */
  readonly sentences: number;
  /** The number of threads that run. */
  readonly threads: number;
  /** The largest number of threads. They start when packets are late. */
  readonly mostThreads: number;
}

/** Turns the sound of engines into Opus packets, in worker threads. */
export interface SpeechEncoder {
  /**
   * Speaks a text with an engine, piece by piece. Of all texts, the packet that is due first is encoded next, at most 10 s
   * before it is due. The engine's sound is read as packets are read, 2 s ahead of them. Throws TtsError or the signal's reason.
   */
  speak(engine: TtsEngine, request: TimedSpeech, signal: AbortSignal): AsyncIterable<SpokenPacket>;
  /** Returns the present load. */
  load(): EncoderLoad;
  /** The statistics of the threads. */
  readonly recorder: PoolRecorder;
  /** Ends every running task and the threads. */
  close(): Promise<void>;
}

// Measured: 60 ms of speech at 24 kHz. It stands until packets are measured here.
const usualCostMs = 0.5;
const meanOver = 200;
// More than one thread can carry: what waits is late and starts another thread, instead of waiting for a place.
const tasksPerThread = 1000;
const maxWaiting = 10_000;
const latenessMs = 500;

/**
 * Starts a thread, and further ones, up to `threads`, when packets are late. `onSynthesized` gets the time that an engine took
 * for a piece of text (ms).
 */
export async function createSpeechEncoder(options: {
  readonly threads: number;
  readonly onSynthesized: (engine: string, ms: number) => void;
  readonly log?: Pick<Log, "warn">;
}): Promise<SpeechEncoder> {
  const { log } = options;
  const threadOptions: WorkerPoolOptions<EncodeContract> = {
    url: new URL("../dist/threads/encode-worker.js", import.meta.url),
    size: [1, options.threads, "on request"],
    workerData: null,
    perWorker: tasksPerThread,
    maxWaiting,
    onLoss: "resume",
    onLost: (err) => log?.warn({ err }, "worker thread lost, replacing"),
  };
  const encoders = createWorkerPool(threadOptions, "opus-out");
  await encoders.ready();
  let costMs = usualCostMs;
  const isBehind = watchLateness(latenessMs);

  async function* speakPiece(engine: TtsEngine, { deadline, ...request }: TimedSpeech, signal: AbortSignal) {
    const left = new AbortController();
    const stop = AbortSignal.any([signal, left.signal]);
    let waitedMs = 0;
    async function* encode(run: AsyncIterable<Sound>) {
      const due = deadline?.() ?? { due: readClock(), heardMs: 0 };
      const task = encoders.open(due, signal, request.turn?.priority);
      const sounds = createSoundFeed(task, { keepsAll: engine.repeatable });
      async function feed() {
        try {
          for await (const sound of run) {
            const from = performance.now();
            await sounds.write(sound, stop);
            waitedMs += performance.now() - from;
          }
        } finally {
          task.end();
        }
      }
      const fed = feed();
      // Awaited below, unless the reader leaves first.
      fed.catch(() => undefined);
      for await (const packet of task.results) {
        costMs += (packet.costMs - costMs) / meanOver;
        if (isBehind(packet.late, performance.now())) encoders.grow();
        sounds.countPacket();
        yield packet.body;
      }
      await fed;
    }
    const began = performance.now();
    const speech = engine.synthesize({ ...request, due: deadline?.().due }, stop);
    const onEnd = () => options.onSynthesized(engine.name, performance.now() - began - waitedMs);
    try {
      for await (const body of passPackets(speech, encode, onEnd))
        yield { body, repeatable: engine.repeatable, engine: engine.name };
    } finally {
      left.abort(new TtsError("failed", "the reader left before the end"));
    }
  }

  return {
    async *speak(engine, request, signal) {
      // One piece after the other: a text of any length costs no more memory than a piece.
      let { turn } = request;
      for (const text of splitText(request.text, engine.longestText)) {
        yield* speakPiece(engine, { ...request, text, turn }, signal);
        turn &&= { ...turn, isLater: true, late: undefined };
      }
    },
    recorder: encoders.recorder,
    load: () => ({
      costMs,
      sentences: encoders.busy + encoders.waiting,
      threads: encoders.threads,
      mostThreads: options.threads,
    }),
    close: () => encoders.close(),
  };
}
