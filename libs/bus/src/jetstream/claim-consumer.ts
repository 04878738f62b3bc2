import { setTimeout as sleep } from "node:timers/promises";
import { AckPolicy, DeliverPolicy, ReplayPolicy, type ConsumerConfig, type JetStreamManager } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import type { BusLog } from "../config.ts";
import { ForeignError } from "../errors.ts";
import { isMissing, isNameTaken } from "../nats/nats-errors.ts";
import { compareOwn, isOwn, markOwn } from "./ownership.ts";
import type { EnsureStreams } from "./streams.ts";

/** NATS delivers a claim again after this time without a sign of life, in ms. */
export const ackWaitMs = 3000;
const retryMs = 1000;
// Naks are deliveries too, but not failures. This only bounds a message that kills each worker before it can count.
const maxDeliver = 1000;

/** The durable consumer of a claim loop. */
export interface ClaimConsumer {
  /** Creates the stream and the consumer if they are missing. */
  ensure(): Promise<void>;
  /** Retries `ensure` at most once a second until it succeeds or the loop stops. Simultaneous calls share one run. */
  repair(): Promise<void>;
  /** The repair that runs now. */
  repairing(): Promise<void> | undefined;
}

/** Dependencies of a claim consumer. */
interface ConsumerDeps {
  readonly jsm: JetStreamManager;
  readonly ensureStreams: EnsureStreams;
  readonly log: BusLog;
}

/** Options of a claim consumer. */
interface ConsumerOptions {
  readonly stream: string;
  readonly subject: string;
  readonly durable: string;
  /** True once the claim loop needs no consumer any more. */
  readonly stopped: () => boolean;
  /** Called when the stream was created again since the last `ensure`. */
  readonly streamReplaced: () => void;
}

/** Creates the consumer of a claim loop. It does nothing before `ensure`. */
export function createClaimConsumer(
  { jsm, ensureStreams, log }: ConsumerDeps,
  { stream, subject, durable, stopped, streamReplaced }: ConsumerOptions,
): ClaimConsumer {
  let created: string | undefined;
  let repairing: Promise<void> | undefined;
  let repairedAt = -Infinity;

  const ensure = async (): Promise<void> => {
    await ensureStreams(stream);
    await ensureConsumer(jsm, { stream, subject, durable });
    const info = await jsm.streams.info(stream);
    if (created !== info.created) streamReplaced();
    created = info.created;
  };

  const repair = async (): Promise<void> => {
    const pauseMs = repairedAt + retryMs - performance.now();
    if (pauseMs > 0) {
      log.warn({ stream, durable }, "consumer unresponsive, retrying");
      await sleep(pauseMs);
    }
    while (!stopped()) {
      try {
        await ensure();
        repairedAt = performance.now();
        return;
      } catch (err) {
        log.warn({ err, stream, durable }, "consumer unavailable, retrying");
        await sleep(retryMs);
      }
    }
  };

  return {
    ensure,
    repairing: () => repairing,
    repair: () => (repairing ??= repair().finally(() => (repairing = undefined))),
  };
}

async function ensureConsumer(
  jsm: JetStreamManager,
  { stream, subject, durable }: Pick<ConsumerOptions, "stream" | "subject" | "durable">,
): Promise<void> {
  const config = {
    durable_name: durable,
    filter_subjects: [subject],
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    replay_policy: ReplayPolicy.Instant,
    ack_wait: nanos(ackWaitMs),
    max_deliver: maxDeliver,
    max_ack_pending: 100_000,
    max_waiting: 10_000,
  };
  const current = await findConsumer(jsm, stream, config);
  if (!isOwn(current)) throw new ForeignError(`the consumer ${durable} of ${stream}`, "has the name of one of voxbus");
  const { changes } = compareOwn(current, config);
  if (Object.keys(changes).length > 0) await jsm.consumers.update(stream, durable, changes);
}

/** Looks a consumer up, and creates it if it is missing. */
async function findConsumer(
  jsm: JetStreamManager,
  stream: string,
  wanted: Partial<ConsumerConfig> & { readonly durable_name: string },
): Promise<ConsumerConfig> {
  try {
    return (await jsm.consumers.info(stream, wanted.durable_name)).config;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  try {
    return (await jsm.consumers.add(stream, markOwn(wanted))).config;
  } catch (error) {
    if (!isNameTaken(error)) throw error;
    return (await jsm.consumers.info(stream, wanted.durable_name)).config;
  }
}
