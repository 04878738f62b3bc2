/** The reason why the pool, rather than the task's own code, ended a task. Stable, for decisions and counters. */
export type WorkerProblem = "full" | "died" | "not-started" | "closed";

/** An error of the pool itself. An error thrown by a worker's code arrives as an Error with its name, message, stack and code. */
export class WorkerError extends Error {
  override readonly name = "WorkerError";
  readonly code: WorkerProblem;
  constructor(code: WorkerProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
