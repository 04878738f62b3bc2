import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { Meter } from "@opentelemetry/api";
import { openBucket } from "./kv/bucket.ts";
import { BusAwayError, type Bucket, type BucketName, type Bus, type Claims } from "./bus.ts";
import { createClaimMeter, observeBus } from "./metrics.ts";
import { runClaims } from "./jetstream/claim.ts";
import type { BusConfig, BusLog } from "./config.ts";
import { runFollow } from "./follow.ts";
import { readLags } from "./jetstream/lags.ts";
import { openLink } from "./nats/connection.ts";
import { createMessages, toBytes, traceHeaders } from "./nats/messages.ts";
import { traceSend } from "./tracing/spans.ts";
import { createStorage } from "./jetstream/publish.ts";
import { createReader } from "./jetstream/read.ts";
import { keepStreams } from "./jetstream/streams.ts";

const apiTimeoutMs = 2000;

/**
 * Connects a process to the bus and makes its streams and buckets. Waits until NATS is there, or `signal` ends; from
 * then on it reconnects for ever. Throws a sentence when NATS refuses the credentials or a stream's configuration.
 */
export async function connectBus(
  config: BusConfig & {
    /** What NATS calls this connection; the program's name. */
    readonly name?: string;
    /** Gets the numbers of the connection and its claims. */
    readonly meter?: Meter;
  },
  log: BusLog,
  signal?: AbortSignal,
): Promise<Bus> {
  const link = await openLink(config, log, signal);
  const js = jetstream(link.nc, { timeout: apiTimeoutMs });
  const jsm = await jetstreamManager(link.nc, { timeout: apiTimeoutMs, checkAPI: false });
  const keeper = keepStreams(jsm, config.VOXBUS_NATS_REPLICAS);
  const storage = createStorage(link, js, keeper);
  const messages = createMessages(link);
  const reader = createReader(jsm, storage, messages);
  const buckets = new Map<BucketName, Bucket>();

  try {
    for (;;) {
      try {
        await storage.persist(undefined, () => keeper.ensure(), signal);
        break;
      } catch (err) {
        if (!(err instanceof BusAwayError)) throw err;
        log.warn({ err }, "NATS keeps no streams yet; trying until it does");
      }
    }
  } catch (error) {
    await link.close();
    throw error;
  }

  const claimMeter = createClaimMeter(config.meter);
  const claims = new Set<Claims>();
  const stats: Bus["stats"] = () => ({
    drops: messages.drops(),
    retries: storage.retries(),
    held: [...claims].reduce((sum, one) => sum + one.held(), 0),
    ...claimMeter.totals(),
    ...link.stats(),
  });
  if (config.meter) observeBus(config.meter, stats);
  return {
    publish: messages.publish,
    subscribe: messages.subscribe,
    respond: messages.respond,
    request: messages.request,
    store: (subject, envelope, { id, expected, trace } = {}, signal) => {
      const data = toBytes(envelope);
      return traceSend({ subject, id, bytes: data.byteLength }, trace, (trace) =>
        storage.store({ subject, data, id, expected, headers: traceHeaders(subject, envelope, trace) }, signal),
      );
    },
    brokerTraces: messages.brokerTraces,
    lastStored: reader.readLast,
    stored: reader.readAll,
    claim: async (options) => {
      const running = await runClaims({ link, jsm, keeper, storage, messages, claimMeter }, options);
      claims.add(running);
      return running;
    },
    follow: (options) => runFollow(link, messages, options),
    lags: (signal) => readLags(jsm, storage, signal),
    bucket: (name) => {
      const bucket = buckets.get(name) ?? openBucket({ link, jsm, storage }, name);
      buckets.set(name, bucket);
      return bucket;
    },
    connected: link.connected,
    onChange: link.onChange,
    flush: link.flush,
    stats,
    close: link.close,
  };
}
