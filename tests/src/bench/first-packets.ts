import { createResampler } from "@voxbus/audio";
import { loadSpeech } from "@voxbus/testing";
import { createWorkerPool, readClock, type WorkerPool } from "@voxbus/workers";
import type { EncodeContract } from "./arrival-order-worker.ts";
import { describeSpread, mergeSpreads, type Spread } from "./numbers.ts";

/** The time from the beginning of replies to the first packet of each, ms. */
export interface FirstPacketRow extends Spread {
  readonly contender: "arrival order" | "earliest deadline first";
  readonly replies: number;
}

const workers = {
  "arrival order": new URL("./arrival-order-worker.js", import.meta.url),
  "earliest deadline first": new URL("../../../apps/tts/dist/encode-worker.js", import.meta.url),
} as const;
const sampleRate = 24_000;
const soundMs = 5000;
const partSamples = 8 * 1440;
const parts = Math.round((soundMs * sampleRate) / 1000 / partSamples);

/** Measures the part opus-out: the first packets of replies that begin at once, in one encoder thread. */
export async function measureFirstPackets(options: {
  readonly replies: number;
  readonly repeat: number;
  readonly progress: (text: string) => void;
}): Promise<readonly FirstPacketRow[]> {
  const { replies, repeat, progress } = options;
  const resampler = createResampler(16_000, sampleRate);
  const speech = resampler.write(loadSpeech("story"));
  const contenders = Object.entries(workers).map(([contender, url]) => ({
    contender: contender as FirstPacketRow["contender"],
    pool: createWorkerPool<EncodeContract>({ url, size: 1, workerData: null, perWorker: replies }),
    spreads: [] as Spread[],
  }));
  try {
    for (let round = 0; round <= repeat; round += 1) {
      for (const { contender, pool, spreads } of contenders) {
        progress(`first packets: ${contender} ${round}`);
        const spread = describeSpread(await startReplies(pool, replies, speech));
        // In the first round the code is compiled.
        if (round > 0) spreads.push(spread);
      }
    }
  } finally {
    await Promise.all(contenders.map(({ pool }) => pool.close()));
  }
  return contenders.map(({ contender, spreads }) => ({ contender, replies, ...mergeSpreads(spreads) }));
}

/** Starts replies at once and gives the time to the first packet of each, ms. */
async function startReplies(
  pool: WorkerPool<EncodeContract>,
  replies: number,
  speech: Int16Array,
): Promise<readonly number[]> {
  await pool.ready();
  const from = performance.now();
  const tasks = Array.from({ length: replies }, () => pool.open({ due: readClock(), heardMs: 0 }));
  for (const task of tasks) {
    for (let part = 0; part < parts; part += 1)
      task.write({ sampleRate, samples: speech.slice(part * partSamples, (part + 1) * partSamples) });
    task.end();
  }
  const firsts = await Promise.all(
    tasks.map(async ({ results }) => {
      const reading = results[Symbol.asyncIterator]();
      await reading.next();
      return { ms: performance.now() - from, stop: async () => void (await reading.return?.()) };
    }),
  );
  await Promise.all(firsts.map(({ stop }) => stop()));
  while (pool.busy > 0) await new Promise(setImmediate);
  return firsts.map(({ ms }) => ms);
}
