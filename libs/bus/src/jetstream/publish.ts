import { setTimeout as sleep } from "node:timers/promises";
import type { JetStreamClient } from "@nats-io/jetstream";
import { errors, nuid, type MsgHdrs } from "@nats-io/transport-node";
import type { Stored } from "../stored-messages.ts";
import { BusAwayError, ConflictError, StorageFullError } from "../errors.ts";
import type { Connection } from "../nats/connection.ts";
import {
  explainDenial,
  isConflict,
  isFull,
  isMissing,
  isQuota,
  isTransient,
  isUnanswered,
} from "../nats/nats-errors.ts";
import type { StorageWatch } from "./storage-watch.ts";
import type { EnsureStreams } from "./streams.ts";

const attemptTimeoutMs = 750;
const patienceMs = 15_000;
const pauseMs = 100;
const maxPauseMs = 500;
const logEveryMs = 10_000;
/** Messages that wait to be stored hold at most about this many bytes. */
const maxWaitingBytes = 64 * 1024 ** 2;
/** Memory of a waiting message beside its data, as measured. */
const overheadBytes = 4096;

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
  /**
   * Publishes at once, and again under the same id until it is acknowledged. Throws ConflictError, StorageFullError (also
   * when 64 MiB wait already), or BusAwayError after 15 s.
   */
  publish(publication: Publication, signal?: AbortSignal): Promise<Stored>;
  /**
   * Runs `work`, and again after errors that may pass. Creates `stream` (undefined: all streams) if it is missing.
   * Throws BusAwayError after 15 s, DeniedError at once.
   */
  retry<T>(stream: string | undefined, work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Retries so far. */
  retries(): number;
  /** Messages so far that were not stored because the storage is full. */
  full(): number;
}

/** Dependencies of a publisher. */
interface PublisherDeps {
  readonly js: JetStreamClient;
  readonly ensureStreams: EnsureStreams;
  readonly watch: StorageWatch;
}

/** Creates the publisher of one connection. */
export function createPublisher(connection: Connection, { js, ensureStreams, watch }: PublisherDeps): Publisher {
  const { retry, retries } = createRetry(connection, ensureStreams);
  let full = 0;
  let waitingBytes = 0;
  let loggedAt = -Infinity;

  const refuse = (stream: string, reason: string, cause?: unknown): StorageFullError => {
    full += 1;
    if (performance.now() - loggedAt > logEveryMs) {
      loggedAt = performance.now();
      connection.log.error({ err: cause, stream, full }, "message not stored, storage full");
    }
    return new StorageFullError(reason, { cause });
  };

  const send = async (publication: Publication, id: string) => {
    const { subject, data, stream, expected, headers, ttl } = publication;
    try {
      connection.checkRoom();
      return await js.publish(subject, data, {
        msgID: id,
        timeout: attemptTimeoutMs,
        ...(headers === undefined ? {} : { headers }),
        ...(ttl === undefined ? {} : { ttl }),
        ...(expected === undefined ? {} : { expect: { lastSubjectSequence: expected } }),
      });
    } catch (error) {
      const isStorage = isQuota(error) || error instanceof errors.TimeoutError;
      if (isStorage && connection.connected()) watch.attempted(stream, false);
      throw error;
    }
  };

  return {
    retry,
    retries,
    full: () => full,
    publish: async (publication, signal) => {
      const { subject, data, stream, id = nuid.next() } = publication;
      if (waitingBytes > maxWaitingBytes) throw refuse(stream, `more than ${maxWaitingBytes} bytes wait to be stored`);
      watch.begin();
      waitingBytes += data.byteLength + overheadBytes;
      try {
        const { seq, duplicate } = await retry(stream, () => send(publication, id), signal);
        watch.attempted(stream, true);
        return { seq, duplicate };
      } catch (cause) {
        if (isConflict(cause)) throw new ConflictError(`another writer was first on ${subject}`, { cause });
        if (isFull(cause, stream)) throw refuse(stream, `NATS has no room for ${subject} in ${stream}`, cause);
        throw cause;
      } finally {
        waitingBytes -= data.byteLength + overheadBytes;
      }
    },
  };
}

/** Creates `Publisher.retry`. */
function createRetry(connection: Connection, ensureStreams: EnsureStreams): Pick<Publisher, "retry" | "retries"> {
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

  return {
    retries: () => retries,
    retry: async (stream, work, signal) => {
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
          if (!isTransient(cause) || (stream !== undefined && isFull(cause, stream))) throw cause;
          if (performance.now() >= deadline) {
            throw new BusAwayError(`NATS did not acknowledge within ${patienceMs} ms`, { cause });
          }
          retries += 1;
          await recover(stream, cause, tries);
        }
      }
    },
  };
}
