import { setTimeout as sleep } from "node:timers/promises";
import type { JetStreamClient } from "@nats-io/jetstream";
import { errors, nuid, type MsgHdrs } from "@nats-io/transport-node";
import { BusAwayError, ConflictError, type Stored } from "../bus.ts";
import { isConflict, isMissing, isPassing, isUnanswered } from "../nats/nats-errors.ts";
import type { Connection } from "../nats/connection.ts";
import type { EnsureStreams } from "./streams.ts";

const tryMs = 750;
const patienceMs = 15_000;
const pauseMs = 100;

/** A publish into a stream, with its conditions. */
interface Publishing {
  readonly subject: string;
  readonly data: Uint8Array;
  /** The stream to create again when it vanished. */
  readonly stream: string;
  readonly id?: string | undefined;
  readonly expected?: number | undefined;
  readonly headers?: MsgHdrs | undefined;
  /** The message's lifetime, such as `1h`; absent: the stream's. */
  readonly ttl?: string;
}

/** Acknowledged work on streams. It waits for NATS to come back and creates streams that vanished. */
export interface Storage {
  /** Sends at once and until it is acknowledged, under one message id. Throws ConflictError, or BusAwayError after 15 s. */
  publish(publishing: Publishing, signal?: AbortSignal): Promise<Stored>;
  /** Retries `work` while that may help, and creates `stream` (undefined: all) when it is gone. Throws BusAwayError after 15 s. */
  persist<T>(stream: string | undefined, work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  retries(): number;
}

/** Creates the storage of one connection. */
export function createStorage(connection: Connection, js: JetStreamClient, ensureStreams: EnsureStreams): Storage {
  let retries = 0;

  const recover = async (stream: string | undefined, error: unknown): Promise<void> => {
    if (isUnanswered(error) || isMissing(error)) {
      try {
        await ensureStreams(stream);
        return;
      } catch (failure) {
        if (!isPassing(failure)) throw failure;
      }
    }
    if (!(error instanceof errors.TimeoutError)) await sleep(pauseMs);
  };

  const persist = async <T>(stream: string | undefined, work: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      // The first try must not wait for anything: it is in order with what is published beside it.
      if (!connection.connected()) await connection.whenConnected(deadline - performance.now(), signal);
      signal?.throwIfAborted();
      try {
        return await work();
      } catch (cause) {
        if (connection.nc.isClosed() || connection.nc.isDraining())
          throw new BusAwayError("the bus is closed", { cause });
        if (!isPassing(cause)) throw cause;
        if (performance.now() >= deadline) {
          throw new BusAwayError(`NATS did not acknowledge within ${patienceMs} ms`, { cause });
        }
        retries += 1;
        await recover(stream, cause);
      }
    }
  };

  return {
    persist,
    retries: () => retries,
    publish: async ({ subject, data, stream, id = nuid.next(), expected, headers, ttl }, signal) => {
      const options = {
        msgID: id,
        timeout: tryMs,
        ...(headers === undefined ? {} : { headers }),
        ...(ttl === undefined ? {} : { ttl }),
        ...(expected === undefined ? {} : { expect: { lastSubjectSequence: expected } }),
      };
      try {
        const { seq, duplicate } = await persist(stream, () => js.publish(subject, data, options), signal);
        return { seq, duplicate };
      } catch (cause) {
        if (!isConflict(cause)) throw cause;
        throw new ConflictError(`another writer was first on ${subject}`, { cause });
      }
    },
  };
}
