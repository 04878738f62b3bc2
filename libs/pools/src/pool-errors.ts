/** The reason why a pool refused work. `full`: too much waits. `late`: it waited too long, or would. */
export type Refusal = "full" | "late";

/** The error of work that a pool refused, or that it gave up while it waited. The work never ran. */
export class PoolFullError extends Error {
  override readonly name = "PoolFullError";
  readonly code: Refusal;
  constructor(code: Refusal, message: string) {
    super(message);
    this.code = code;
  }
}

/** The error of work that ran longer than its pool allows. */
export class PoolTimeoutError extends Error {
  override readonly name = "PoolTimeoutError";
}

/** The error of work in a pool that was closed. */
export class PoolClosedError extends Error {
  override readonly name = "PoolClosedError";
}
