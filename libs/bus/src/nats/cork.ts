import type { NatsConnection } from "@nats-io/transport-node";

/** What may gather before it is written, so that NATS has work while a busy turn of the event loop goes on. */
const mostBytes = 4096;

interface Protocol {
  flushPending(): void;
  pendingLimit: number;
  readonly outbound: { size(): number };
}

/**
 * Lets what is sent in one turn of the event loop leave in one write, or in few, in order. nats.js by itself writes at
 * the end of each callback: in a gateway once for each socket that has something to publish, a system call a frame.
 */
export function gatherWrites(nc: NatsConnection): NatsConnection {
  const { protocol } = nc as unknown as { protocol?: Partial<Protocol> };
  if (!isProtocol(protocol)) return nc;
  const write = protocol.flushPending.bind(protocol);
  let waiting = false;
  protocol.pendingLimit = mostBytes;
  protocol.flushPending = () => {
    if (protocol.outbound.size() >= mostBytes) return write();
    if (waiting) return;
    waiting = true;
    setImmediate(() => {
      waiting = false;
      write();
    });
  };
  return nc;
}

// None of this is documented: a nats.js that is built otherwise writes as it always did.
function isProtocol(protocol: Partial<Protocol> | undefined): protocol is Protocol {
  return typeof protocol?.flushPending === "function" && typeof protocol.outbound?.size === "function";
}
