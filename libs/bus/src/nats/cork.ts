import type { NatsConnection } from "@nats-io/transport-node";

/** Bytes that are written at once, without waiting for the end of the turn, so that NATS has work during a busy one. */
const maxBytes = 4096;

interface Protocol {
  flushPending(): void;
  pendingLimit: number;
  readonly outbound: { size(): number };
}

/**
 * Corks a connection: everything sent within one turn of the event loop leaves in one write, or one per 4 KiB, in order.
 * nats.js by itself writes at the end of each callback. In a gateway that is a system call per frame.
 */
export function corkWrites(nc: NatsConnection): NatsConnection {
  const { protocol } = nc as unknown as { protocol?: Partial<Protocol> };
  if (!isProtocol(protocol)) return nc;
  const write = protocol.flushPending.bind(protocol);
  let scheduled = false;
  protocol.pendingLimit = maxBytes;
  protocol.flushPending = () => {
    if (protocol.outbound.size() >= maxBytes) return write();
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      write();
    });
  };
  return nc;
}

// None of this is documented. A nats.js with other internals keeps its own way of writing.
function isProtocol(protocol: Partial<Protocol> | undefined): protocol is Protocol {
  return typeof protocol?.flushPending === "function" && typeof protocol.outbound?.size === "function";
}
