/** Thrown when a compare-and-set lost because another writer was first. */
export class ConflictError extends Error {
  override readonly name = "ConflictError";
}

/** Thrown when NATS does not permit this program to do something. */
export class DeniedError extends Error {
  override readonly name = "DeniedError";
}

/** Thrown when NATS could not be reached within the time that the call allows. */
export class BusAwayError extends Error {
  override readonly name: string = "BusAwayError";
}

/** Thrown at once when a bucket or the storage of the account is full, or when 64 MiB wait to be stored already. */
export class StorageFullError extends BusAwayError {
  override readonly name = "StorageFullError";
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
