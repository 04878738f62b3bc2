/** The types that a pool and its workers exchange. Each kind of worker has one, which both ends import. */
export interface WorkerContract {
  /** Passed to every worker once, at its start. */
  readonly data: unknown;
  /** Opens a task. */
  readonly request: unknown;
  /** Written into a running task; `never` for tasks without input. */
  readonly input: unknown;
  /** Yielded by a task. */
  readonly result: unknown;
}

/** The data that a thread starts with: the pool's, and the memory of its progress. */
export interface ThreadData<Data = unknown> {
  readonly data: Data;
  readonly memory: Int32Array;
}

/** A message from the pool to a worker. Each is a step of its progress; a ping is nothing else. */
export type TaskMessage =
  | { readonly kind: "ping" }
  | { readonly kind: "start"; readonly task: number; readonly request: unknown; readonly repeated: number }
  | { readonly kind: "input"; readonly task: number; readonly value: unknown }
  | { readonly kind: "inputEnd"; readonly task: number }
  | { readonly kind: "abort"; readonly task: number };

/** A message from a worker to the pool. `ready` comes once, before all others, with the kernel's id of the thread. */
export type TaskReply =
  | { readonly kind: "ready"; readonly id: number | undefined }
  | { readonly kind: "result"; readonly task: number; readonly value: unknown }
  | { readonly kind: "done"; readonly task: number }
  | { readonly kind: "failed"; readonly task: number; readonly error: TaskFailure };

/** An error in a form that can be passed between threads. */
export interface TaskFailure {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly code?: unknown;
}
