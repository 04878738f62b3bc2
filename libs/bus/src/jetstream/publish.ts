import { setTimeout as sleep } from "node:timers/promises";
import type { JetStreamClient } from "@nats-io/jetstream";
import { errors, nuid, type MsgHdrs } from "@nats-io/transport-node";
import type { Stored } from "../bus.ts";
import { BusAwayError, ConflictError } from "../errors.ts";
import type { Connection } from "../nats/connection.ts";
import { explainDenial, isConflict, isMissing, isTransient, isUnanswered } from "../nats/nats-errors.ts";
import type { EnsureStreams } from "./streams.ts";

const attemptTimeoutMs = 750;
const patienceMs = 15_000;
const pauseMs = 100;
const maxPauseMs = 500;
const logEveryMs = 10_000;

/** A message for a stream, with the conditions under which it is stored. */
interface Publication {
  readonly subject: string;
  readonly data: Uint8Array;
  /** The stream to create again if it is missing. */
  readonly stream: string;
  readonly id?: string | undefined;
  readonly expected?: number | undefined;
  readonly headers?: MsgHdrs | undefined;
  /** The message's lifetime, such as `1h`. Default: the stream's. */
  readonly ttl?: string;
}

/** Acknowledged work on streams. It waits while NATS is away and creates missing streams again. */
export interface Publisher {
  /** Publishes at once, and again under the same id until it is acknowledged. Throws ConflictError, or BusAwayError after 15 s. */
  publish(publication: Publication, signal?: AbortSignal): Promise<Stored>;
  /**
   * Runs `work`, and again after errors that may pass. Creates `stream` (undefined: all streams) if it is missing.
   * Throws BusAwayError after 15 s, DeniedError at once.
   */
  retry<T>(stream: string | undefined, work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Retries so far. */
  retries(): number;
}

/** Creates the publisher of one connection. */
export function createPublisher(connection: Connection, js: JetStreamClient, ensureStreams: EnsureStreams): Publisher {
  let retries = 0;
  let loggedAt = -Infinity;

  const recover = async (stream: string | undefined, err: unknown, tries: number): Promise<void> => {
    if (performance.now() - loggedAt > logEveryMs) {
      loggedAt = performance.now();
      connection.log.warn({ err, stream, retries }, "stream request failed, retrying");
    }
    if (isUnanswered(err) || isMissing(err)) {
      try {
        await ensureStreams(stream);
      } catch (failure) {
        if (!isTransient(failure)) throw failure;
      }
    }
    if (!(err instanceof errors.TimeoutError)) await sleep(Math.min(pauseMs * tries, maxPauseMs));
  };

  const retry = async <T>(stream: string | undefined, work: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    const deadline = performance.now() + patienceMs;
    for (let tries = 1; ; tries += 1) {
      // The first attempt must not wait: it is in order with core messages that are published beside it.
      if (!connection.connected()) await connection.whenConnected(deadline - performance.now(), signal);
      signal?.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        const cause = explainDenial(error);
        if (connection.nc.isClosed() || connection.nc.isDraining())
          throw new BusAwayError("the bus is closed", { cause });
        if (!isTransient(cause)) throw cause;
        if (performance.now() >= deadline) {
          throw new BusAwayError(`NATS did not acknowledge within ${patienceMs} ms`, { cause });
        }
        retries += 1;
        await recover(stream, cause, tries);
      }
    }
  };

  return {
    retry,
    retries: () => retries,
    publish: async ({ subject, data, stream, id = nuid.next(), expected, headers, ttl }, signal) => {
      const options = {
        msgID: id,
        timeout: attemptTimeoutMs,
        ...(headers === undefined ? {} : { headers }),
        ...(ttl === undefined ? {} : { ttl }),
        ...(expected === undefined ? {} : { expect: { lastSubjectSequence: expected } }),
      };
      try {
        const send = () => {
          connection.checkRoom();
          return js.publish(subject, data, options);
        };
        const { seq, duplicate } = await retry(stream, send, signal);
        return { seq, duplicate };
      } catch (cause) {
        if (!isConflict(cause)) throw cause;
        throw new ConflictError(`another writer was first on ${subject}`, { cause });
      }
    },
  };
}
