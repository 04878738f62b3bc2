/** A compiled WebAssembly program; it may be passed to worker threads. */
export interface WasmProgram {
  readonly [Symbol.toStringTag]: "WebAssembly.Module";
}

/** A running program: its functions, and its `memory`. */
export interface WasmInstance {
  readonly exports: { readonly memory: { readonly buffer: ArrayBuffer }; readonly _start: () => void };
}

interface WebAssemblyApi {
  compile(bytes: Uint8Array): Promise<WasmProgram>;
  readonly Instance: new (program: WasmProgram, imports: Record<string, Record<string, unknown>>) => WasmInstance;
}

// The compiler knows this global only together with the whole of a browser's API.
const api = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;

/** Compiles a program, off the main thread. */
export function compileWasm(bytes: Uint8Array): Promise<WasmProgram> {
  return api.compile(bytes);
}

/** Starts an instance of a WASI program; `imports` are the functions of `wasi_snapshot_preview1`. */
export function instantiateWasi(program: WasmProgram, imports: Record<string, unknown>): WasmInstance {
  return new api.Instance(program, { wasi_snapshot_preview1: imports });
}
