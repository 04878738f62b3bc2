import { setTimeout as sleep } from "node:timers/promises";
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { nuid } from "@nats-io/transport-node";
import type { Connection } from "../nats/connection.ts";
import type { NatsClock } from "../nats/clock.ts";
import { isMissing, isUnanswered } from "../nats/nats-errors.ts";
import { bucketStream, bucketSubject, type EnsureStreams } from "./streams.ts";

const probeMs = 2000;
const probeTimeoutMs = 1000;
const retryMs = 250;
/** A smaller write may still fit into the last page of a full disk. */
const probeBytes = 4096;
const clockMs = 10_000;
/** Storage has failed when nothing was stored for this time. Longer than an election in a cluster usually takes. */
const failedMs = 4000;
/** Failed attempts on a stream count for this time after the last one, unless a later one succeeds. */
const rememberedMs = 10_000;

/**
 * Watches whether NATS stores. A full disk shows only in writes, which NATS then leaves unanswered, while reads work. So
 * an entry of the bucket `probes` is written every 2 s.
 */
export interface StorageWatch {
  /** False from 4 s after NATS stopped to store until it stores again. True in a program that stores nothing. */
  storing(): boolean;
  /** Starts the probes. Further calls do nothing. */
  begin(): void;
  /** Takes the outcome of an attempt to store into a stream. */
  attempted(stream: string, stored: boolean): void;
}

/** Creates the watch of one connection. It stops when the connection is closed. */
export function createStorageWatch(
  connection: Connection,
  deps: {
    readonly js: JetStreamClient;
    readonly jsm: JetStreamManager;
    readonly ensureStreams: EnsureStreams;
    readonly clock: NatsClock;
  },
): StorageWatch {
  const { js, jsm, ensureStreams, clock } = deps;
  const stream = bucketStream("probes");
  const subject = bucketSubject("probes", nuid.next());
  const encoder = new TextEncoder();
  /** The first and the last failure on each stream that has not stored since. */
  const failures = new Map<string, { readonly first: number; readonly last: number }>();
  let storedAt = Infinity;
  let askedAt = -Infinity;
  let begun = false;
  let told = true;
  const ending = new AbortController();

  const storing = (): boolean => {
    const now = performance.now();
    const failed = [...failures.values()].some(
      ({ first, last }) => now - first > failedMs && now - last < rememberedMs,
    );
    return now - storedAt < failedMs && !failed;
  };

  const probe = async (): Promise<void> => {
    const data = encoder.encode(JSON.stringify({ at: clock.now() }).padEnd(probeBytes));
    await js.publish(subject, data, { timeout: probeTimeoutMs, retries: 1 });
    storedAt = performance.now();
    if (storedAt - askedAt < clockMs) return;
    askedAt = storedAt;
    clock.learn((await jsm.streams.info(stream)).ts, storedAt);
  };

  const run = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      let pauseMs = probeMs;
      try {
        if (connection.connected()) await probe();
      } catch (err) {
        pauseMs = retryMs;
        if (storing()) connection.log.info({ err }, "storage probe failed");
        if (isUnanswered(err) || isMissing(err)) await ensureStreams(stream).catch(() => undefined);
      }
      const works = storing();
      if (works !== told && connection.connected()) {
        told = works;
        if (works) connection.log.info({}, "storage of NATS works again");
        else connection.log.error({ streams: [...failures.keys()] }, "storage of NATS failed");
      }
      await sleep(pauseMs, undefined, { signal: ending.signal, ref: false }).catch(() => undefined);
    }
  };

  return {
    storing: () => !begun || storing(),
    begin: () => {
      if (begun) return;
      begun = true;
      storedAt = performance.now();
      connection.onClose(() => ending.abort());
      void run();
    },
    attempted: (name, stored) => {
      if (stored) failures.delete(name);
      else {
        const last = performance.now();
        failures.set(name, { first: failures.get(name)?.first ?? last, last });
      }
    },
  };
}
