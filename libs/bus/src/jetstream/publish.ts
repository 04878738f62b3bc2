import { setTimeout as sleep } from "node:timers/promises";
import type { JetStreamClient } from "@nats-io/jetstream";
import { errors, nuid, type MsgHdrs } from "@nats-io/transport-node";
import { BusAwayError, ConflictError, type Stored } from "../bus.ts";
import { isConflict, isMissing, isPassing, isUnanswered } from "../nats/nats-errors.ts";
import type { Link } from "../nats/connection.ts";
import type { StreamKeeper } from "./streams.ts";

const tryMs = 750;
const patienceMs = 15_000;
const pauseMs = 100;

/** What is stored, under which conditions. */
interface Storing {
  readonly subject: string;
  readonly data: Uint8Array;
  /** The stream or bucket to make anew when it vanished; absent: all of them. */
  readonly stream?: string;
  readonly id?: string | undefined;
  readonly expected?: number | undefined;
  readonly headers?: MsgHdrs | undefined;
  /** How long it is kept, such as `1h`; absent: as long as the stream says. */
  readonly ttl?: string;
}

/** Acknowledged work on streams that waits for NATS to come back and for streams to be made anew. */
export interface Storage {
  /** Sends at once and until it is acknowledged, under one message id. Throws ConflictError, or BusAwayError after 15 s. */
  store(storing: Storing, signal?: AbortSignal): Promise<Stored>;
  /** Does `work` again while trying again may help, making `stream` when it is gone. Throws BusAwayError after 15 s. */
  persist<T>(stream: string | undefined, work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  retries(): number;
}

/** Creates the storage of one connection. */
export function createStorage(link: Link, js: JetStreamClient, keeper: StreamKeeper): Storage {
  let retries = 0;

  const recover = async (stream: string | undefined, error: unknown): Promise<void> => {
    if (isUnanswered(error) || isMissing(error)) {
      try {
        await keeper.ensure(stream);
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
      if (!link.connected()) await link.whenConnected(deadline - performance.now(), signal);
      signal?.throwIfAborted();
      try {
        return await work();
      } catch (cause) {
        if (link.nc.isClosed() || link.nc.isDraining()) throw new BusAwayError("the bus is closed", { cause });
        if (!isPassing(cause)) throw cause;
        if (performance.now() >= deadline) {
          throw new BusAwayError(`NATS did not take it for ${patienceMs} ms`, { cause });
        }
        retries += 1;
        await recover(stream, cause);
      }
    }
  };

  return {
    persist,
    retries: () => retries,
    store: async ({ subject, data, stream, id = nuid.next(), expected, headers, ttl }, signal) => {
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
        throw new ConflictError(`somebody else wrote ${subject} first`, { cause });
      }
    },
  };
}
