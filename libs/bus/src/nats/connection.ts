import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, credsAuthenticator, errors, type NatsConnection } from "@nats-io/transport-node";
import { BusAwayError, type Closer } from "../bus.ts";
import type { BusConfig, BusLog } from "../config.ts";
import { gatherWrites } from "./cork.ts";

const checkMs = 250;
const pingMs = 500;
/** A flush that takes longer means that NATS is away, in ms. */
const awayMs = 1000;
const retryMs = 500;

/** The connection below the bus: NATS, and whether it answers. */
export interface Connection {
  readonly nc: NatsConnection;
  readonly log: BusLog;
  /** True while NATS answers; false at the latest 2 s after it stopped to. */
  connected(): boolean;
  onChange(listener: (connected: boolean) => void): Closer;
  /** Called once, when the bus is closed: timers end here. */
  onClose(listener: () => void): Closer;
  /** Resolves when connected; throws BusAwayError after `timeoutMs`. */
  whenConnected(timeoutMs: number, signal?: AbortSignal): Promise<void>;
  /** Resolves when what was published has reached the server. Throws BusAwayError after 1 s. */
  flush(): Promise<void>;
  /** Reconnects, the last round trip in ms, bytes from and to NATS. */
  stats(): { readonly reconnects: number; readonly rtt: number; readonly received: number; readonly sent: number };
  /** Drains subscriptions, sends what waits, and closes; bounded by 5 s. */
  close(): Promise<void>;
}

/**
 * Connects to NATS: keeps trying until it is there or `signal` ends. Throws at once when NATS refuses the credentials
 * or a file cannot be read. An established connection reconnects for ever.
 */
export async function openConnection(
  config: BusConfig & { readonly name?: string },
  log: BusLog,
  signal?: AbortSignal,
): Promise<Connection> {
  return watchLink(await dial(config, log, signal), log);
}

async function dial(
  config: BusConfig & { readonly name?: string },
  log: BusLog,
  signal?: AbortSignal,
): Promise<NatsConnection> {
  const servers = config.VOXBUS_NATS_URL.split(",").map((url) => url.trim());
  const creds = config.VOXBUS_NATS_CREDS;
  const options = {
    servers,
    ...(config.name === undefined ? {} : { name: config.name }),
    ...(creds === undefined ? {} : { authenticator: credsAuthenticator(readFileSync(creds)) }),
    ...(config.VOXBUS_NATS_CA === undefined ? {} : { tls: { caFile: config.VOXBUS_NATS_CA } }),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    timeout: 2000,
    pingInterval: 5000,
    maxPingOut: 2,
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
  };
  for (let told = false; ;) {
    signal?.throwIfAborted();
    try {
      return gatherWrites(await connect(options));
    } catch (cause) {
      if (cause instanceof errors.AuthorizationError || cause instanceof errors.InvalidArgumentError) {
        throw new Error(`NATS at ${withoutPassword(servers)} cannot be used: ${cause.message}`, { cause });
      }
      if (!told) log.warn({ url: withoutPassword(servers), err: cause }, "NATS is not there yet; trying until it is");
      told = true;
      await sleep(retryMs, undefined, { signal });
    }
  }
}

function withoutPassword(servers: readonly string[]): string {
  return servers.map((url) => url.replace(/\/\/[^@/]*@/, "//")).join(",");
}

function watchLink(nc: NatsConnection, log: BusLog): Connection {
  const listeners = new Set<(connected: boolean) => void>();
  const closers = new Set<() => void>();
  let up = true;
  let closing = false;
  let reconnects = 0;
  let rtt = 0;
  let pingedAt = 0;
  let waiting = false;
  /** Bytes received at the last check, and when they had last become more: then a pong may wait behind them. */
  let received = 0;
  let receivedAt = 0;

  const setUp = (now: boolean): void => {
    if (up === now) return;
    up = now;
    for (const listener of listeners) {
      try {
        listener(now);
      } catch (err) {
        log.error({ err }, "a listener for the state of the bus failed");
      }
    }
  };

  const ping = (): void => {
    const sentAt = performance.now();
    pingedAt = sentAt;
    waiting = true;
    nc.flush().then(
      () => {
        waiting = false;
        rtt = performance.now() - sentAt;
      },
      () => (waiting = false), // the connection went; its status says so
    );
  };

  let due = performance.now() + checkMs;
  const timer = setInterval(() => {
    const now = performance.now();
    // If this timer is late, so is the reading of a pong that may be here already: judge at the next one.
    const late = now - due > checkMs;
    due = now + checkMs;
    const { inBytes } = nc.stats();
    if (inBytes !== received) receivedAt = now;
    received = inBytes;
    if (!up) return;
    if (!waiting) {
      if (now - pingedAt >= pingMs) ping();
    } else if (!late && now - Math.max(pingedAt, receivedAt) > awayMs) {
      waiting = false;
      log.warn({ afterMs: Math.round(now - pingedAt) }, "NATS does not answer; leaving this connection");
      setUp(false);
      destroySocket(nc);
    }
  }, checkMs);
  timer.unref();

  const followStatus = async (): Promise<void> => {
    for await (const status of nc.status()) {
      if (status.type === "disconnect" && !closing) {
        if (up) log.warn({ server: status.server }, "NATS is away");
        setUp(false);
      } else if (status.type === "reconnect") {
        reconnects += 1;
        waiting = false;
        log.info({ server: status.server }, "NATS is back");
        setUp(true);
      } else if (status.type === "error") {
        log.warn({ err: status.error }, "NATS reports an error");
      }
    }
  };
  void followStatus();
  void nc.closed().then((err) => {
    clearInterval(timer);
    if (!closing) log.error({ err }, "the connection to NATS is closed for good");
    setUp(false);
    return undefined;
  });

  const onChange = (listener: (connected: boolean) => void): Closer => {
    listeners.add(listener);
    return { close: () => void listeners.delete(listener) };
  };

  return {
    nc,
    log,
    connected: () => up,
    onChange,
    onClose: (listener) => {
      closers.add(listener);
      return { close: () => void closers.delete(listener) };
    },
    whenConnected: async (timeoutMs, signal) => {
      signal?.throwIfAborted();
      if (up) return;
      if (nc.isClosed()) throw new BusAwayError("the bus is closed");
      await new Promise<void>((resolve, reject) => {
        const settle = (act: () => void): void => {
          clearTimeout(timeout);
          watch.close();
          signal?.removeEventListener("abort", abort);
          act();
        };
        const abort = (): void => settle(() => reject(signal?.reason as Error));
        const timeout = setTimeout(
          () => settle(() => reject(new BusAwayError("NATS is away"))),
          Math.max(timeoutMs, 0),
        );
        const watch = onChange((now) => now && settle(resolve));
        signal?.addEventListener("abort", abort);
      });
    },
    flush: async () => {
      if (!up) throw new BusAwayError("NATS is away");
      await within(nc.flush(), awayMs);
    },
    stats: () => {
      const { inBytes, outBytes } = nc.stats();
      return { reconnects, rtt, received: inBytes, sent: outBytes };
    },
    close: async () => {
      if (closing) return;
      closing = true;
      for (const closer of closers) closer();
      const wentAway = new Promise<void>((resolve) => onChange((now) => now || resolve()));
      try {
        if (up) await Promise.race([within(nc.drain(), 5000), wentAway]);
        if (!up && !nc.isClosed()) log.warn({}, "NATS went away before everything was sent");
      } catch (err) {
        log.warn({ err }, "the bus was closed before everything was sent");
      }
      if (!nc.isClosed()) destroySocket(nc);
      await within(nc.close(), 1000).catch((err: unknown) => log.warn({ err }, "the bus did not close in time"));
    },
  };
}

async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new BusAwayError(`NATS did not answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } catch (cause) {
    throw cause instanceof BusAwayError ? cause : new BusAwayError("NATS is away", { cause });
  } finally {
    clearTimeout(timer);
  }
}

// nats.js has no door to this: its own reconnect() first waits for a write that a stopped server never takes.
function destroySocket(nc: NatsConnection): void {
  const { protocol } = nc as unknown as { protocol?: { transport?: { socket?: Socket } } };
  protocol?.transport?.socket?.destroy();
}
