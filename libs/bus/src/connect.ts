import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { Meter } from "@opentelemetry/api";
import { buckets, type BucketName, type StreamName } from "@voxbus/protocol";
import { openBucket } from "./kv/bucket.ts";
import type { Bus } from "./bus.ts";
import type { Claims } from "./jetstream/claim-options.ts";
import { BusAwayError, NatsSetupError } from "./errors.ts";
import { createClaimMeter, observeBus } from "./metrics.ts";
import { runClaims } from "./jetstream/claim.ts";
import type { BusConfig, BusLog } from "./config.ts";
import { runFollow } from "./follow.ts";
import { forgetDevice } from "./jetstream/forget.ts";
import { readLags } from "./jetstream/lags.ts";
import { createNatsClock, type NatsClock } from "./nats/clock.ts";
import { openConnection, type Connection } from "./nats/connection.ts";
import { isJetStreamOff } from "./nats/nats-errors.ts";
import { publishErrors } from "./nats/error-events.ts";
import { createMessages, toBytes, traceHeaders } from "./nats/messages.ts";
import { openServices } from "./services/open-services.ts";
import { traceSend } from "./tracing/spans.ts";
import { createPublisher, type Publisher } from "./jetstream/publish.ts";
import { createReader } from "./jetstream/read.ts";
import { createStorageWatch } from "./jetstream/storage-watch.ts";
import { createEnsureStreams, type EnsureStreams } from "./jetstream/streams.ts";

const apiTimeoutMs = 2000;
/** Time for JetStream to come up at the start, ms. */
const jetStreamMs = 2000;
/** Difference between two clocks that is reported, ms. Tokens and certificates bear less than lifetimes of messages do. */
const clockToleranceMs = 30_000;

/** The options of a connection, beside the configuration of its process. */
interface ConnectOptions {
  /** The streams and buckets to create or update at the start. Default: all. */
  readonly streams?: readonly (StreamName | BucketName)[];
  /** The name of the program, under which NATS lists the connection. */
  readonly name?: string;
  /** Exports metrics of the connection and its claims. */
  readonly meter?: Meter;
}

/**
 * Connects a process to the bus and creates its streams and buckets. Waits until NATS answers or `signal` aborts. Then
 * reconnects forever. Throws an error with the reason when NATS refuses the credentials or a stream. Without streams it
 * asks JetStream for nothing.
 */
export async function connectBus(config: BusConfig & ConnectOptions, log: BusLog, signal?: AbortSignal): Promise<Bus> {
  const connection = await openConnection(config, log, signal);
  const { names } = connection;
  const js = jetstream(connection.nc, { timeout: apiTimeoutMs });
  const jsm = await jetstreamManager(connection.nc, { timeout: apiTimeoutMs, checkAPI: false });
  const clock = createNatsClock();
  const ensureStreams = createEnsureStreams({ jsm, names, clock, log }, config);
  const watch = createStorageWatch(connection, { js, jsm, ensureStreams, clock });
  const publisher = createPublisher(connection, { js, ensureStreams, watch });
  const messages = createMessages(connection);
  publishErrors(connection, messages, config.name);
  const reader = createReader({ jsm, names }, publisher, messages);

  try {
    await openStreams({ connection, publisher, ensureStreams, streams: config.streams }, signal);
    reportClock(clock, log);
  } catch (error) {
    await connection.close();
    throw error;
  }

  const claimMeter = createClaimMeter(config.meter);
  const claims = new Set<Claims>();
  const stats: Bus["stats"] = () => ({
    drops: connection.drops.counts(),
    retries: publisher.retries(),
    full: publisher.full(),
    held: [...claims].reduce((sum, one) => sum + one.held(), 0),
    ...claimMeter.totals(),
    ...connection.stats(),
  });
  if (config.meter) observeBus(config.meter, { stats, storing: watch.storing });
  return {
    publish: messages.publish,
    subscribe: messages.subscribe,
    subscribeRaw: messages.subscribeRaw,
    ...openServices(connection, messages),
    store: (channel, envelope, { id, expected, trace } = {}, signal) => {
      const data = toBytes(channel.schema, envelope);
      return traceSend({ subject: channel.subject, id, bytes: data.byteLength }, trace, (trace) => {
        const headers = traceHeaders(channel, envelope, trace);
        return publisher.publish({ ...names.place(channel), data, id, expected, headers }, signal);
      });
    },
    brokerTraces: messages.brokerTraces,
    ...reader,
    claim: async (options) => {
      const naks = openBucket({ connection, jsm, publisher }, buckets.naks);
      const deps = { connection, jsm, ensureStreams, publisher, messages, claimMeter, naks };
      watch.begin();
      const running = await runClaims(deps, options);
      claims.add(running);
      return running;
    },
    follow: (options) => runFollow(connection, messages, options),
    lags: (signal) => readLags({ jsm, publisher, names }, signal),
    forget: (device, signal) => forgetDevice({ jsm, publisher, names }, device, signal),
    bucket: (row) => openBucket({ connection, jsm, publisher }, row),
    connected: connection.connected,
    server: connection.server,
    storing: watch.storing,
    now: clock.now,
    onChange: connection.onChange,
    flush: connection.flush,
    stats,
    drop: (subject, reason, details) => connection.drops.report({ subject, reason, ...details }),
    badMessages: connection.drops.recent,
    close: connection.close,
  };
}

function reportClock(clock: NatsClock, log: BusLog): void {
  const aheadMs = Date.now() - clock.now();
  if (Math.abs(aheadMs) > clockToleranceMs) log.warn({ aheadMs }, "clock differs from NATS");
}

/** Creates or updates the streams. Waits while NATS does not answer. Throws NatsSetupError if JetStream is off. */
async function openStreams(
  {
    connection,
    publisher,
    ensureStreams,
    streams,
  }: {
    readonly connection: Connection;
    readonly publisher: Publisher;
    readonly ensureStreams: EnsureStreams;
    readonly streams: readonly (StreamName | BucketName)[] | undefined;
  },
  signal: AbortSignal | undefined,
): Promise<void> {
  const ensure = async (): Promise<void> => {
    if (streams === undefined) await ensureStreams();
    else await Promise.all(streams.map((name) => ensureStreams(connection.names.streamOf(name))));
  };
  const began = performance.now();
  const tryOut = async () => {
    try {
      await ensure();
    } catch (error) {
      if (!isJetStreamOff(error) || performance.now() - began < jetStreamMs) throw error;
      // The cause is left out: it would count as one that may pass.
      throw new NatsSetupError(
        "JetStream is off: start nats-server with -js, or enable JetStream for this program's account",
      );
    }
  };
  for (;;) {
    try {
      await publisher.retry(undefined, tryOut, signal);
      return;
    } catch (err) {
      if (!(err instanceof BusAwayError) || connection.nc.isClosed()) throw err;
      connection.log.warn({ err }, "streams unavailable, retrying");
    }
  }
}
