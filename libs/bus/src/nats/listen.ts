import { errors, type Msg, type Subscription, type SubscriptionOptions } from "@nats-io/transport-node";
import type { Closer } from "../closer.ts";
import type { Connection } from "./connection.ts";
import { slimSubscription } from "./slim-subscription.ts";

/**
 * Subscribes to a subject of NATS until the returned handle is closed. An error of `handle` is logged, and goes no further: it
 * would silently end the reading of the connection. With `drains`, messages that are on their way at the close are handled.
 */
export function listen(
  connection: Connection,
  { subject, queue, drains }: { readonly subject: string; readonly queue?: string; readonly drains?: boolean },
  handle: (message: Msg) => unknown,
): Closer {
  const callback = createCallback(connection, subject, handle);
  const subscribed = connection.nc.subscribe(subject, queue === undefined ? { callback } : { queue, callback });
  return drains ? createDrain(subscribed) : new SubscriptionCloser(slimSubscription(subscribed));
}

/** Keeps only what a message needs: a gateway has a subscription for each device. */
function createCallback(
  { log, drops, names }: Connection,
  subject: string,
  handle: (message: Msg) => unknown,
): SubscriptionOptions["callback"] {
  return (err, message) => {
    if (err instanceof errors.PermissionViolationError) return; // the connection has logged it
    if (err) log.error({ err, subject }, "subscription failed");
    else drops.guard(names.plain(message.subject), () => handle(message), message.data);
  };
}

function createDrain(subscribed: Subscription): Closer {
  return { close: () => void subscribed.drain().catch(() => undefined) };
}

/** Ends a subscription. */
class SubscriptionCloser implements Closer {
  readonly #subscription: Subscription;

  constructor(subscription: Subscription) {
    this.#subscription = subscription;
  }

  close(): void {
    if (!this.#subscription.isClosed()) this.#subscription.unsubscribe();
  }
}
