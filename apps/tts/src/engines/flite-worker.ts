import { readWav } from "@voxbus/audio";
import { serveWorker, type WorkerContract } from "@voxbus/workers";
import type { Sound } from "./engine.ts";
import { runFlite } from "./flite.ts";
import type { WasmProgram } from "./wasm.ts";

/** What passes between the embedded engine and its threads. */
export interface FliteContract extends WorkerContract {
  readonly data: { readonly program: WasmProgram };
  readonly request: { readonly text: string; readonly voice: string; readonly speed: number };
  readonly input: never;
  readonly result: Sound;
}

await serveWorker<FliteContract>(
  ({ program }) => {
    // The compiler does its work at the first sentence, and nobody should wait for that.
    runFlite(program, { text: "Ready.", voice: "slt", speed: 1 });
    return function* (request) {
      const { sampleRate, samples } = readWav(runFlite(program, request));
      yield { sampleRate, samples };
    };
  },
  ({ samples }) => [samples.buffer],
);
