import type { Subscription } from "@nats-io/transport-node";

/** A promise of nats.js with the functions that settle it. */
interface Deferred {
  resolve(value?: unknown): void;
}

/** The parts that nats.js keeps for those who iterate over a subscription, or wait for its end. */
interface Internals {
  iterClosed: Deferred;
  signal: Deferred;
  closed: Deferred;
}

const noReader: Deferred = { resolve: () => undefined };

/**
 * Releases what a subscription with a callback keeps for readers that it has not: three promises, 0.7 KB. A gateway has a
 * subscription for each device. Its `closed` never resolves then.
 */
export function slimSubscription(subscription: Subscription): Subscription {
  const internals = subscription as unknown as Partial<Internals>;
  // None of this is documented. The subscription of a nats.js with other internals stays as it is.
  if (isDeferred(internals.iterClosed) && isDeferred(internals.signal) && isDeferred(internals.closed))
    Object.assign(internals, { iterClosed: noReader, signal: noReader, closed: noReader });
  return subscription;
}

function isDeferred(value: Deferred | undefined): boolean {
  return typeof value?.resolve === "function";
}
