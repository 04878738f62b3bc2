import { readFile } from "node:fs/promises";
import { readWav } from "@voxbus/audio";
import { serveWorker, type WorkerContract } from "@voxbus/workers";
import type { Sound } from "./engine.ts";
import { runFlite } from "./flite.ts";
import { compileWasm } from "./wasm.ts";

/** The contract between the embedded engine and its threads. One task is one text. */
export interface FliteContract extends WorkerContract {
  /** `file`: the path of the program. */
  readonly data: { readonly file: string };
  readonly request: { readonly text: string; readonly voice: string; readonly speed: number };
  readonly input: never;
  readonly result: Sound;
}

await serveWorker<FliteContract>(
  async ({ file }) => {
    const program = await compileWasm(await readFile(file));
    // The first run compiles the code. No reply should wait for that.
    runFlite(program, { text: "Ready.", voice: "slt", speed: 1 });
    // A run of flite is one step: it cannot be divided, and no abort is heard in it. So the engine takes short texts only.
    return function* (request) {
      const { sampleRate, samples } = readWav(runFlite(program, request));
      yield { sampleRate, samples };
    };
  },
  { transfer: ({ samples }) => [samples.buffer] },
);
