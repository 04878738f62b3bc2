import type { NatsConnection } from "@nats-io/transport-node";

const checkMs = 250;
const pingMs = 500;

/** Regular pings of NATS. */
export interface Pinger {
  /** The last round trip, in ms. */
  rtt(): number;
  /** Forgets the ping that waits for its pong, after a reconnect. */
  reset(): void;
  stop(): void;
}

/**
 * Pings NATS every 500 ms while `connected`. Calls `silent` with the age of the ping in ms when it has had no pong for
 * `patienceMs` and no byte has arrived since.
 */
export function startPings(
  nc: NatsConnection,
  options: { readonly patienceMs: number; connected(): boolean; silent(ageMs: number): void },
): Pinger {
  let rtt = 0;
  let pingedAt = 0;
  let waiting = false;
  /** Bytes received at the last check, and when the number last grew. A pong may be queued behind them. */
  let received = 0;
  let receivedAt = 0;

  const ping = (): void => {
    const sentAt = performance.now();
    pingedAt = sentAt;
    waiting = true;
    nc.flush().then(
      () => {
        waiting = false;
        rtt = performance.now() - sentAt;
      },
      () => (waiting = false), // the connection was lost, which its status reports
    );
  };

  let due = performance.now() + checkMs;
  const timer = setInterval(() => {
    const now = performance.now();
    // If this timer is late, a pong may have arrived but not been read yet. The next check decides.
    const late = now - due > checkMs;
    due = now + checkMs;
    const { inBytes } = nc.stats();
    if (inBytes !== received) receivedAt = now;
    received = inBytes;
    if (!options.connected()) return;
    if (!waiting) {
      if (now - pingedAt >= pingMs) ping();
    } else if (!late && now - Math.max(pingedAt, receivedAt) > options.patienceMs) {
      waiting = false;
      options.silent(now - pingedAt);
    }
  }, checkMs);
  timer.unref();

  return { rtt: () => rtt, reset: () => (waiting = false), stop: () => clearInterval(timer) };
}
