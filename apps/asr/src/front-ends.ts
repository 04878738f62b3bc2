import type { Log } from "@voxbus/subscriber";
import { createWorkerPool, type OpenTask, type WorkerPool, type WorkerPoolOptions } from "@voxbus/workers";
import type { AudioFrontEndContract } from "./audio-front-end-worker.ts";
import type { EndOfSpeech } from "./audio-front-end.ts";

/** The threads of the audio front end. A listen stays in its thread. */
export interface FrontEnds {
  /** Opens a front end in the thread with the fewest. Another thread starts if each has 250, about half of what it can do. */
  open(request: EndOfSpeech, signal: AbortSignal): OpenTask<AudioFrontEndContract>;
  /** Packets are late: one more thread starts, up to the most, for the listens that follow. */
  grow(): void;
  readonly pool: WorkerPool<AudioFrontEndContract>;
}

/** The number of voice detectors that a thread has memory for. */
export const maxListensPerThread = 4500;
const usualListensPerThread = 250;

/** Starts a thread, or as many as `listens` need memory of, and later more, up to `threads`. */
export function createFrontEnds(options: {
  readonly listens: number;
  readonly threads: number;
  readonly listensPerThread?: number;
  readonly log: Pick<Log, "warn">;
}): FrontEnds {
  const { listens, threads, listensPerThread = usualListensPerThread, log } = options;
  const poolOptions: WorkerPoolOptions<AudioFrontEndContract> = {
    url: new URL("../dist/threads/audio-front-end-worker.js", import.meta.url),
    size: [Math.ceil(listens / maxListensPerThread), threads, "on request"],
    perWorker: Math.min(listens, maxListensPerThread),
    workerData: null,
    onLost: (err) => log.warn({ err }, "worker thread lost, replacing"),
  };
  const pool = createWorkerPool(poolOptions, "opus-in");
  return {
    open(request, signal) {
      if (pool.busy >= pool.threads * listensPerThread) pool.grow();
      return pool.open(request, signal);
    },
    grow: pool.grow,
    pool,
  };
}
