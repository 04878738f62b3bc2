import { setTimeout as sleep } from "node:timers/promises";
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { nuid } from "@nats-io/transport-node";
import type { Connection } from "../nats/connection.ts";
import type { NatsClock } from "../nats/clock.ts";
import { isMissing, isUnanswered } from "../nats/nats-errors.ts";
import type { EnsureStreams } from "./streams.ts";

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
  const stream = connection.names.bucketStream("probes");
  const subject = connection.names.bucketSubject("probes", nuid.next());
  const encoder = new TextEncoder();
  const failures = createFailures();
  let storedAt = Infinity;
  let askedAt = -Infinity;
  let begun = false;
  /** The error of the last probe that failed. */
  let failure: unknown;
  let told = true;
  const ending = new AbortController();

  const storing = (): boolean => {
    return performance.now() - storedAt < failedMs && failures.streams().length === 0;
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
        failure = err;
        if (isUnanswered(err) || isMissing(err)) {
          await ensureStreams(stream).catch((error: unknown) => (failure = error));
        }
      }
      const works = storing();
      if (works !== told && connection.connected()) {
        told = works;
        if (works) connection.log.info({}, "storage of NATS works again");
        else connection.log.error({ err: failure, streams: failures.streams() }, "storage of NATS failed");
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
      // Devices come back at once after an outage, before the next probe.
      connection.onChange((connected) => {
        if (connected) storedAt = performance.now();
        failures.clear();
      });
      void run();
    },
    attempted: failures.attempted,
  };
}

/** Keeps which streams do not store. */
function createFailures() {
  /** The first and the last failure on each stream that has not stored since. */
  const failures = new Map<string, { readonly first: number; readonly last: number }>();
  return {
    clear: () => failures.clear(),
    /** Lists the streams that have failed for 4 s. */
    streams: (): readonly string[] => {
      const now = performance.now();
      const failed = ({ first, last }: { readonly first: number; readonly last: number }): boolean =>
        now - first > failedMs && now - last < rememberedMs;
      return [...failures].flatMap(([stream, times]) => (failed(times) ? [stream] : []));
    },
    attempted: (stream: string, stored: boolean): void => {
      if (stored) {
        failures.delete(stream);
        return;
      }
      const last = performance.now();
      const before = failures.get(stream);
      const first = before !== undefined && last - before.last < rememberedMs ? before.first : last;
      failures.set(stream, { first, last });
    },
  };
}
