/** The place of a stored message in its stream. `duplicate`: it was already stored under the same id. */
export interface Stored {
  readonly seq: number;
  readonly duplicate: boolean;
}

/** The messages that a stream holds on a channel. */
export interface StoredMessages<T> {
  /** The messages that decode, oldest first. */
  readonly messages: readonly T[];
  /** The sequence of the newest message, also of one that does not decode; 0 without one. For `StoreOptions.expected`. */
  readonly newest: number;
}

/**
 * The newest `limit` of the messages that were stored from a point on: a message's sequence, or a time of NATS in ms since
 * the epoch, such as `Claim.storedAt`. Default: from the beginning.
 */
export interface StoredRange {
  readonly limit: number;
  readonly from?: { readonly seq: number } | { readonly time: number };
}
