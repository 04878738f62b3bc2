/** A compiled WebAssembly program. */
export interface WasmProgram {
  readonly [Symbol.toStringTag]: "WebAssembly.Module";
}

/** A running program with its memory and its entry point. */
export interface WasmInstance {
  readonly exports: { readonly memory: { readonly buffer: ArrayBuffer }; readonly _start: () => void };
}

interface WebAssemblyApi {
  compile(bytes: Uint8Array): Promise<WasmProgram>;
  readonly Instance: new (program: WasmProgram, imports: Record<string, Record<string, unknown>>) => WasmInstance;
}

// TypeScript has this global only in its DOM library.
const api = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;

/** Compiles a program. Threads of one process share the code. */
export function compileWasm(bytes: Uint8Array): Promise<WasmProgram> {
  return api.compile(bytes);
}

/** Creates an instance of a WASI program. `imports` are the functions of `wasi_snapshot_preview1`. */
export function instantiateWasi(program: WasmProgram, imports: Record<string, unknown>): WasmInstance {
  return new api.Instance(program, { wasi_snapshot_preview1: imports });
}
