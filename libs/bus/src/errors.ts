import { InputError, type DropReason } from "@voxbus/protocol";

/** Thrown when a compare-and-set lost because another writer was first. */
export class ConflictError extends Error {
  override readonly name = "ConflictError";
}

/**
 * Thrown by the handler of a message that is dropped. It is counted under `reason`, a drop reason of docs/protocol.md. `limit` is
 * the rule that the message breaks.
 */
export class DroppedError extends InputError {
  override readonly name = "DroppedError";
  readonly reason: DropReason;
  readonly limit: string | undefined;
  constructor(reason: DropReason, limit?: string) {
    super(`the message was dropped: ${reason}`);
    this.reason = reason;
    this.limit = limit;
  }
}

/** Thrown when NATS does not permit this program to do something. */
export class DeniedError extends Error {
  override readonly name = "DeniedError";
}

/** Thrown when NATS could not be reached within the time that the call allows. */
export class BusAwayError extends Error {
  override readonly name: string = "BusAwayError";
}

/** Thrown when no program answers a subject. */
export class NoResponderError extends BusAwayError {
  override readonly name = "NoResponderError";
}

/**
 * A request that the answering program refused, for a `reason` of its own. The code is 400 if the request is wrong, 500 if its
 * handler failed, 503 if the program is busy. A handler that throws it refuses the request with this reason.
 */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly reason: string;
  readonly code: number;

  constructor(
    reason: string,
    { code = 500, subject = "", ...options }: ErrorOptions & { readonly code?: number; readonly subject?: string } = {},
  ) {
    super(`the request ${subject && `on ${subject} `}was refused: ${reason}`, options);
    this.reason = reason;
    this.code = code;
  }
}

/** Thrown at once when a bucket or the storage of the account is full, or when 64 MiB wait to be stored already. */
export class StorageFullError extends BusAwayError {
  override readonly name = "StorageFullError";
}

/** Thrown when a stream or bucket could not be copied or restored. The message names it on NATS, and the reason. */
export class CopyError extends Error {
  override readonly name = "CopyError";
}

/** Thrown at the start when NATS cannot be used as it is set up. The message says what to do. */
export class NatsSetupError extends Error {
  override readonly name: string = "NatsSetupError";
}

/** Thrown when NATS has something of another application where voxbus needs its own. voxbus changes nothing of it. */
export class ForeignError extends NatsSetupError {
  override readonly name = "ForeignError";
  constructor(thing: string, conflict: string, options?: ErrorOptions) {
    super(
      `${thing} ${conflict}, and this version of voxbus did not create it. It was not changed. Set VOXBUS_NATS_PREFIX to ` +
        "a word of your own for every program of this system, or remove it if an older voxbus made it (CHANGELOG.md)",
      options,
    );
  }
}
