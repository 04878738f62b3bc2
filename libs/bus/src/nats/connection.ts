import type { Socket } from "node:net";
import { errors, type NatsConnection } from "@nats-io/transport-node";
import type { Closer } from "../closer.ts";
import type { BusLog } from "../config.ts";
import { BusAwayError } from "../errors.ts";
import { createConnectionState, type ConnectionState } from "./connection-state.ts";
import { createNames, type Names } from "../names.ts";
import { dial, type ConnectionConfig } from "./dial.ts";
import { createDrops, createLineLimit, type Drops } from "./drops.ts";
import { startPings } from "./ping.ts";

/** The longest time that NATS may take to answer before it counts as away, in ms. */
const awayMs = 1000;
/** Bytes that may wait to be written to NATS. nats.js and the socket would take any number while NATS does not read. */
const mostQueuedBytes = 32 * 1_048_576;
const drainMs = 5000;
const closeMs = 1000;
/** The subjects on which a program tells of itself. */
const reports = /^(?:stats|error)\./;
const maxSilenced = 64;

/** The connection to NATS, and whether NATS answers. */
export interface Connection extends Omit<ConnectionState, "set"> {
  readonly nc: NatsConnection;
  readonly log: BusLog;
  /** The names and subjects of this system on NATS. */
  readonly names: Names;
  /** The prefix of the subjects on which this connection gets answers. */
  readonly inboxPrefix: string;
  /** The messages and values that did not decode. */
  readonly drops: Drops;
  /** True while NATS answers. Becomes false within 2 s after NATS stopped answering. */
  connected(): boolean;
  /** Names the NATS that answers. A single server has another name after a restart; a cluster keeps its own. */
  server(): string;
  /** Bytes that wait to be written to NATS. */
  queued(): number;
  /** Throws BusAwayError while NATS is away, or while as many bytes wait for it as may. */
  checkRoom(): void;
  /** True for a subject of `stats` or `error` that NATS has not permitted since it was connected last. */
  isSilenced(subject: string): boolean;
  /** Calls `listener` once, when the bus is closed, so that it can stop its timers. */
  onClose(listener: () => void): Closer;
  /** Resolves when everything published so far has reached the server. Throws BusAwayError after 1 s. */
  flush(): Promise<void>;
  /** Reconnects and denials so far, the last round trip in ms, bytes from and to NATS, and bytes that wait to be written. */
  stats(): {
    readonly reconnects: number;
    /** Publishes and subscriptions that NATS did not permit. */
    readonly denied: number;
    readonly rtt: number;
    readonly received: number;
    readonly sent: number;
    readonly queued: number;
  };
  /** Drains subscriptions, sends what is queued, and closes, within 5 s. */
  close(): Promise<void>;
}

/** Connects to NATS and watches whether it answers. Waits and throws as `dial` does. */
export async function openConnection(config: ConnectionConfig, log: BusLog, signal?: AbortSignal): Promise<Connection> {
  const names = createNames(config.VOXBUS_NATS_PREFIX);
  const nc = await dial(config, log, signal);
  return watchConnection(nc, { names, inboxPrefix: names.inboxPrefix(config.name), log });
}

function watchConnection(nc: NatsConnection, given: Pick<Connection, "names" | "inboxPrefix" | "log">): Connection {
  const { log } = given;
  const drops = createDrops(log);
  const state = createConnectionState(drops);
  const closers = new Set<() => void>();
  let closing = false;
  let reconnects = 0;
  const reported = createErrorReport(given);

  const pings = startPings(nc, {
    patienceMs: awayMs,
    connected: state.connected,
    silent: (ageMs) => {
      log.warn({ afterMs: Math.round(ageMs) }, "NATS ping unanswered, reconnecting");
      state.set(false);
      destroySocket(nc);
    },
  });

  const followStatus = async (): Promise<void> => {
    for await (const status of nc.status()) {
      if (status.type === "disconnect" && !closing) {
        if (state.connected()) log.warn({ server: status.server }, "NATS disconnected");
        state.set(false);
      } else if (status.type === "reconnect") {
        reconnects += 1;
        pings.reset();
        reported.reconnected();
        log.info({ server: status.server }, "NATS reconnected");
        state.set(true);
      } else if (status.type === "error") reported.report(status.error);
    }
  };
  void followStatus();
  void nc.closed().then((err) => {
    pings.stop();
    if (!closing) log.error({ err }, "NATS connection closed for good");
    state.set(false);
    return undefined;
  });

  return {
    nc,
    ...given,
    drops,
    connected: state.connected,
    server: () => nc.info?.cluster ?? nc.info?.server_id ?? "",
    queued: () => countQueued(nc),
    checkRoom: () => {
      if (!state.connected()) throw new BusAwayError("NATS is away");
      if (countQueued(nc) > mostQueuedBytes)
        throw new BusAwayError(`more than ${mostQueuedBytes} bytes wait to be written to NATS`);
    },
    isSilenced: reported.isSilenced,
    onChange: state.onChange,
    onClose: (listener) => {
      closers.add(listener);
      return { close: () => void closers.delete(listener) };
    },
    whenConnected: async (timeoutMs, signal) => {
      signal?.throwIfAborted();
      if (!state.connected() && nc.isClosed()) throw new BusAwayError("the bus is closed");
      await state.whenConnected(timeoutMs, signal);
    },
    flush: async () => {
      if (!state.connected()) throw new BusAwayError("NATS is away");
      await within(nc.flush(), awayMs);
    },
    stats: () => {
      const { inBytes: received, outBytes: sent } = nc.stats();
      return { reconnects, denied: reported.denied(), queued: countQueued(nc), rtt: pings.rtt(), received, sent };
    },
    close: async () => {
      if (closing) return;
      closing = true;
      for (const closer of closers) drops.guard("connection", closer);
      await drainAndClose(nc, state, log);
    },
  };
}

/** Logs the errors that NATS reports, and counts what it did not permit. What a program tells of itself is then not told. */
function createErrorReport({ log, names }: Pick<Connection, "log" | "names">) {
  const limit = createLineLimit();
  const silenced = new Set<string>();
  let denied = 0;
  return {
    denied: () => denied,
    isSilenced: (subject: string) => silenced.has(subject),
    /** The permissions may be others now. */
    reconnected: () => silenced.clear(),
    report: (err: Error): void => {
      if (err instanceof errors.PermissionViolationError) {
        denied += 1;
        const { operation, subject } = err;
        const isReport = operation === "publish" && reports.test(names.plain(subject));
        if (isReport && silenced.size < maxSilenced) silenced.add(subject);
        limit({ subject, reason: operation }, (suppressed) =>
          log.warn({ operation, subject, suppressed }, "NATS permission denied"),
        );
      } else {
        limit({ subject: "", reason: err.message }, (suppressed) =>
          log.warn({ err, suppressed }, "NATS reported an error"),
        );
      }
    },
  };
}

async function drainAndClose(nc: NatsConnection, state: ConnectionState, log: BusLog): Promise<void> {
  const wentAway = new Promise<void>((resolve) => state.onChange((connected) => connected || resolve()));
  try {
    if (state.connected()) await Promise.race([within(nc.drain(), drainMs), wentAway]);
    if (!state.connected() && !nc.isClosed()) log.warn({}, "bus closed while disconnected, queued messages lost");
  } catch (err) {
    log.warn({ err }, "bus drain failed, queued messages lost");
  }
  if (!nc.isClosed()) destroySocket(nc);
  await within(nc.close(), closeMs).catch((err: unknown) => log.warn({ err }, "bus close timed out"));
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

// None of this is documented. A nats.js with other internals counts nothing.
function countQueued(nc: NatsConnection): number {
  const { protocol } = nc as unknown as {
    protocol?: { outbound?: { size?(): number }; transport?: { socket?: Socket } };
  };
  return (protocol?.outbound?.size?.() ?? 0) + (protocol?.transport?.socket?.writableLength ?? 0);
}

// nats.js has no public way to do this. Its own reconnect() first waits for a write, which a stopped server never accepts.
function destroySocket(nc: NatsConnection): void {
  const { protocol } = nc as unknown as { protocol?: { transport?: { socket?: Socket } } };
  protocol?.transport?.socket?.destroy();
}
