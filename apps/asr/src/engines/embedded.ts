import type { Log } from "@voxbus/subscriber";
import { createWorkerPool, type WorkerPoolOptions } from "@voxbus/workers";
import type { Decoding, Grammar } from "./decoder.ts";
import type { AsrEngine, Completion, Transcript } from "./engine.ts";
import type { RecognizerContract } from "./recognizer-worker.ts";

const language = "en-US";
/** Utterances that may wait for a decoder. */
const maxWaiting = 100;

/**
 * Creates the engine that recognizes the sentences of a grammar, in American English, in threads of this process. A thread
 * has up to `decoders` decoders of 10.9 MB each. One of them is ready when this resolves. The other threads and decoders
 * are created on demand and kept. Throws when a word of the grammar has no pronunciation. A `standIn` creates its first one
 * on demand too.
 */
export async function createEmbeddedEngine(options: {
  readonly grammar: Grammar;
  /** The prefix of words that stand for speech outside the grammar. */
  readonly garbagePrefix: string;
  /** Judges words of the grammar, as they are heard before a pause. */
  readonly judge: (text: string) => Completion;
  readonly threads: number;
  readonly decoders: number;
  readonly standIn?: boolean;
  /** The name of the threads in the statistics. */
  readonly name?: string;
  readonly log: Pick<Log, "warn">;
}): Promise<AsrEngine> {
  const { grammar, garbagePrefix, judge, threads, decoders, standIn = false, name = "recognition", log } = options;
  const { fsg, pronunciations } = grammar;
  const threadOptions: WorkerPoolOptions<RecognizerContract> = {
    url: new URL("../../dist/threads/recognizer-worker.js", import.meta.url),
    size: [standIn ? 0 : 1, threads],
    perWorker: decoders,
    maxWaiting,
    workerData: { model: "en-us", grammar: { fsg, pronunciations }, garbagePrefix },
    onLoss: "repeat",
    onLost: (err) => log.warn({ err }, "worker thread lost, replacing"),
  };
  const pool = createWorkerPool(threadOptions, name);
  try {
    await pool.ready();
  } catch (cause) {
    await pool.close();
    throw new Error("the embedded recognizer did not start", { cause });
  }

  const isGarbage = (word: string) => word.startsWith(garbagePrefix);
  function transcribe({ words, confidence }: Decoding): Transcript {
    if (words.length === 0) return { text: "", language, reason: "nothing-heard" };
    if (words.some(isGarbage)) return { text: "", language, reason: "unrecognized" };
    return { text: words.join(" "), language, confidence };
  }
  return {
    name: "embedded",
    recorder: pool.recorder,
    // An utterance has its decoder from its onset, unless others wait for one.
    waitMs: () => (pool.waiting === 0 ? 0 : pool.recorder.waitMs("high")),
    room: () => threads * decoders + maxWaiting - pool.busy - pool.waiting,
    open({ onPartial }, signal) {
      const task = pool.open({ partials: onPartial !== undefined }, signal);
      const pauses: ((completion: Completion) => void)[] = [];
      async function read(): Promise<Transcript> {
        let transcript: Transcript = { text: "", language, reason: "nothing-heard" };
        try {
          for await (const result of task.results) {
            if (result.type === "partial") onPartial?.(result.text);
            else if (result.type === "pause") pauses.shift()?.(judge(result.text));
            else if (result.type === "end") transcript = transcribe(result);
          }
          return transcript;
        } finally {
          for (const answer of pauses.splice(0)) answer("unknown");
        }
      }
      const transcript = read();
      // The caller of `finish` handles a failure. A discarded utterance has no such caller.
      transcript.catch(() => undefined);
      return {
        write: (samples) => task.write(samples),
        judgePause() {
          task.write("pause");
          return new Promise((resolve) => pauses.push(resolve));
        },
        finish() {
          task.end();
          return transcript;
        },
      };
    },
    close: () => pool.close(),
  };
}
