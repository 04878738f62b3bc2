import type { NatsConnection } from "@nats-io/transport-node";

/**
 * Lets everything that is sent in one turn of the event loop leave in one write, in order. nats.js by itself writes at
 * the end of each callback: in a gateway once for each socket that has something to publish, a system call a frame.
 */
export function gatherWrites(nc: NatsConnection): NatsConnection {
  const { protocol } = nc as unknown as { protocol?: { flushPending?: () => void } };
  const write = protocol?.flushPending?.bind(protocol);
  if (!protocol || !write) return nc;
  let waiting = false;
  protocol.flushPending = () => {
    if (waiting) return;
    waiting = true;
    setImmediate(() => {
      waiting = false;
      write();
    });
  };
  return nc;
}
