/** What passes between a pool and its workers; one such type is written for each kind of worker and used at both ends. */
export interface WorkerContract {
  /** Given to every worker once, when it starts. */
  readonly data: unknown;
  /** What a task is begun with. */
  readonly request: unknown;
  /** What may be written into a running task; `never` where nothing is. */
  readonly input: unknown;
  /** What a task yields. */
  readonly result: unknown;
}

/** What the pool sends to a worker: about one task, or a ping, which a thread answers unless it hangs. */
export type TaskMessage =
  | { readonly kind: "ping" }
  | { readonly kind: "start"; readonly task: number; readonly request: unknown }
  | { readonly kind: "input"; readonly task: number; readonly value: unknown }
  | { readonly kind: "inputEnd"; readonly task: number }
  | { readonly kind: "abort"; readonly task: number };

/** What a worker answers; `ready` comes once, before everything else. */
export type TaskReply =
  | { readonly kind: "ready" }
  | { readonly kind: "pong" }
  | { readonly kind: "result"; readonly task: number; readonly value: unknown }
  | { readonly kind: "done"; readonly task: number }
  | { readonly kind: "failed"; readonly task: number; readonly error: TaskFailure };

/** An error in a form that survives the way between threads. */
export interface TaskFailure {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly code?: unknown;
}
