import { setTimeout as sleep } from "node:timers/promises";
import { createInbox, nanos, type Msg } from "@nats-io/transport-node";
import type { Connection } from "../nats/connection.ts";

const expiryMs = 1000;

/** Pulls jobs from a durable consumer. */
export interface Puller {
  /** Requests a job for each free slot that has no request yet. */
  pull(): void;
  /** Forgets all requests, because NATS has forgotten them. */
  reset(): void;
  /** Withdraws the requests. Jobs on their way still arrive; resolves after the last one, within 1 s. */
  drain(): Promise<void>;
  /** Stops at once. */
  close(): void;
}

/** Options of a puller. */
interface PullerOptions {
  readonly stream: string;
  readonly durable: string;
  /** The number of jobs that may be requested at a time; 0 while nothing may be pulled. */
  readonly free: () => number;
  /** Called with each job. */
  readonly job: (message: Msg) => void;
  /** Called when the consumer may be missing. */
  readonly unavailable: () => void;
}

/** Creates a puller. It requests nothing before `pull`. */
export function createPuller(connection: Connection, options: PullerOptions): Puller {
  const { nc, log, drops, connected, inboxPrefix } = connection;
  const { stream, durable, free, job, unavailable } = options;
  const inbox = createInbox(inboxPrefix);
  const api = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`;
  const encoder = new TextEncoder();
  /** Requests that have not been answered in full and have not expired, oldest first. */
  let requests: { count: number; readonly at: number }[] = [];

  const pull = (): void => {
    if (!connected()) return;
    const oldest = performance.now() - 2 * expiryMs;
    while (requests[0] !== undefined && (requests[0].count <= 0 || requests[0].at < oldest)) requests.shift();
    const count = free() - requests.reduce((sum, { count }) => sum + count, 0);
    if (count <= 0) return;
    requests.push({ count, at: performance.now() });
    nc.publish(api, encoder.encode(`{"batch":${count},"expires":${nanos(expiryMs)}}`), { reply: inbox });
  };

  /** Takes answers off the oldest requests. */
  const settle = (count: number): void => {
    let left = count;
    while (left > 0 && requests[0] !== undefined) {
      const taken = Math.min(left, requests[0].count);
      requests[0].count -= taken;
      left -= taken;
      if (requests[0].count === 0) requests.shift();
    }
  };

  const readStatus = (message: Msg): void => {
    const code = message.headers?.code ?? 0;
    if (code === 503 || code === 404) {
      unavailable();
      return;
    }
    settle(Number(message.headers?.get("Nats-Pending-Messages") || 0));
    // 408: the request expired. 409: anything else, such as a deleted consumer or a new leader.
    if (code === 408) pull();
    else if (code === 409) unavailable();
  };

  const subscription = nc.subscribe(inbox, {
    callback: (err, message) => {
      if (err) log.error({ err, durable }, "subscription failed");
      else if (message.subject === inbox) drops.guard(durable, () => readStatus(message));
      else {
        settle(1);
        drops.guard(message.subject, () => job(message));
        pull();
      }
    },
  });

  return {
    pull,
    reset: () => (requests = []),
    drain: async () => {
      if (connected()) await Promise.race([subscription.drain(), sleep(expiryMs)]);
      subscription.unsubscribe();
    },
    close: () => subscription.unsubscribe(),
  };
}
