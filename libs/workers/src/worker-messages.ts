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

/** A message from the pool to a worker. A worker answers a ping unless it hangs. */
export type TaskMessage =
  | { readonly kind: "ping" }
  | { readonly kind: "start"; readonly task: number; readonly request: unknown }
  | { readonly kind: "input"; readonly task: number; readonly value: unknown }
  | { readonly kind: "inputEnd"; readonly task: number }
  | { readonly kind: "abort"; readonly task: number };

/** A message from a worker to the pool. `ready` comes once, before all others. */
export type TaskReply =
  | { readonly kind: "ready" }
  | { readonly kind: "pong" }
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
