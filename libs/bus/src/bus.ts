import type { BucketRow, Channel, Encoded, Inbound, RequestChannel, StreamName } from "@voxbus/protocol";
import type { z } from "zod";
import type { BrokerTrace } from "./tracing/broker-trace.ts";

/** Where a message came from, and its trace context. */
export interface Arrival {
  readonly subject: string;
  /** The device in the subject; empty where there is none. */
  readonly device: string;
  readonly trace: Readonly<Record<string, string>>;
}

/** A handle on something that runs until it is closed. Closing it twice does nothing. */
export interface Closer {
  close(): void;
}

/** The place of a stored message in its stream. `duplicate`: it had been stored before under the same id. */
export interface Stored {
  readonly seq: number;
  readonly duplicate: boolean;
}

/** Options of a stored publish. */
export interface StoreOptions {
  /** Message id for de-duplication, such as `session:seq`. */
  readonly id?: string;
  /** Compare-and-set: the expected last sequence of exactly this subject (0: none yet). */
  readonly expected?: number;
  /** Trace context to send along; default: the active OpenTelemetry context. */
  readonly trace?: Readonly<Record<string, string>>;
}

/** Thrown when a compare-and-set lost: another writer was first. */
export class ConflictError extends Error {
  override readonly name = "ConflictError";
}

/** Thrown when NATS could not be reached within the time that the call allows. */
export class BusAwayError extends Error {
  override readonly name = "BusAwayError";
}

/** An envelope of `S` on its way out: as an object without `v`, or encoded. */
export type Outgoing<S extends z.ZodType> = z.input<S> | Encoded<S>;

/** A message that a stream holds, with its sequence there. */
export interface StoredMessage<S extends z.ZodType> {
  readonly seq: number;
  readonly subject: string;
  readonly message: z.infer<S>;
}

/** A job held by one worker. It passes to another worker when this one dies. */
export interface Claim<T> {
  readonly device: string;
  readonly message: T;
  /** The number of the delivery, from 1. */
  readonly attempt: number;
  /**
   * True from the 4th delivery on, not counting those that followed a drain. This message may be killing its workers:
   * only apologize. It is dropped afterwards.
   */
  readonly final: boolean;
  /** The trace context of this attempt at the work. */
  readonly trace: Readonly<Record<string, string>>;
  /** The trace context that the message was stored with: for spans that cannot wait for work that takes hours. */
  readonly sent: Readonly<Record<string, string>>;
  /**
   * Aborted when the claim is given back because the worker drains. A claim that another worker took over while this
   * process was paused shows only by its lost compare-and-sets.
   */
  readonly signal: AbortSignal;
}

/** Options of a claim loop. */
export interface ClaimOptions<S extends z.ZodType> {
  /** The channel whose messages are the jobs. */
  readonly channel: Channel<S, StreamName>;
  /** Name of the durable consumer that all workers of a kind share. */
  readonly durable: string;
  /** The most claims held at once. */
  readonly slots: number;
  /**
   * Does the work. Resolved: acknowledged. Rejected: delivered again (at once while draining, else after 1 s), or dropped
   * when the claim was `final`. A rejection has no effect after a pause in which another worker may have taken over.
   * Progress is signaled every second while the work runs.
   */
  readonly work: (claim: Claim<z.infer<S>>) => Promise<void>;
}

/** A running claim loop. */
export interface Claims {
  /** The number of claims held now. */
  held(): number;
  /**
   * Stops pulling, lets held claims finish for at most `graceMs`, then aborts them and gives them back. A second call
   * shortens the grace.
   */
  drain(graceMs: number): Promise<void>;
}

/** Options of a follow: one session's inbound frames from `after` (exclusive). */
export interface FollowOptions {
  readonly device: string;
  readonly session: string;
  /** The gateway that answers replays. */
  readonly gateway: string;
  /** The last seq known already. */
  readonly after: number;
  /** Called with every frame once, in order of seq. */
  readonly frame: (frame: Inbound) => void;
  /** Called when frames `from` to `to` did not come within 300 ms of the request for them. */
  readonly lost: (from: number, to: number) => void;
  /** Called when the gateway says that the session is gone, or has not answered for `goneMs` (default 12 s). */
  readonly gone: () => void;
  readonly goneMs?: number;
}

/** One entry of a bucket. `value` is undefined where the stored bytes are not what the schema says. */
export interface Entry<V> {
  readonly id: string;
  readonly value: V | undefined;
  readonly revision: number;
}

/**
 * One kind of entry in a key-value bucket of soft state; values are JSON. A bucket that vanished is created again on use.
 * A watch starts over with a new snapshot when it may have missed something (reconnect, purge, a new bucket).
 */
export interface Bucket<In, V> {
  get(id: string): Promise<Entry<V> | undefined>;
  /** The ids that begin with `prefix` and a dot, or all of them; also those removed within the last hour. */
  ids(prefix?: string): Promise<readonly string[]>;
  /** Writes without a condition and gives the revision. */
  put(id: string, value: In): Promise<number>;
  /** Writes if the entry is at `revision` (0: absent or removed), as `put` does. Throws ConflictError. */
  update(id: string, value: In, revision: number): Promise<number>;
  /**
   * Reads the entry, changes its value, and writes it by compare-and-set; again when another writer was first, 10 times
   * at most. `change` gives undefined to leave the entry as it is. Throws ConflictError.
   */
  modify(id: string, change: (value: V | undefined) => In | undefined | Promise<In | undefined>): Promise<void>;
  /** Removes the entry if it is at `revision`, or in any case without one. Throws ConflictError. */
  remove(id: string, revision?: number): Promise<void>;
  /**
   * Keeps `entries` filled. `changed` gets each id with its entry, or undefined when it was removed or expired. Resolves
   * when the first snapshot is in.
   */
  watch(changed?: (id: string, entry: Entry<V> | undefined) => void): Promise<BucketWatch<V>>;
}

/** A live view of one kind of entry, by id. Open one per process, never one per device. */
export interface BucketWatch<V> extends Closer {
  readonly entries: ReadonlyMap<string, Entry<V>>;
}

/** The lag of a durable consumer. */
export interface ConsumerLag {
  readonly stream: StreamName;
  readonly durable: string;
  /** Messages not yet delivered to any worker. */
  readonly pending: number;
  /** Messages that workers hold. */
  readonly held: number;
  /** Held messages that were delivered more than once. */
  readonly redelivered: number;
}

/** The connection of one process to the bus. The channel decides the envelope; the bus adds its version `v`. */
export interface Bus {
  /**
   * Publishes on core NATS: at most once, in order with everything else that this process publishes, no answer.
   * Throws BusAwayError when NATS is away, so that the caller's own bounded queue decides what is kept.
   */
  publish<S extends z.ZodType>(
    channel: Channel<S, "live">,
    envelope: Outgoing<NoInfer<S>>,
    trace?: Readonly<Record<string, string>>,
  ): void;

  /**
   * Publishes into a stream and waits for the acknowledgement: tries again for at least 15 s with the same `id`, so it
   * is stored once. Sent at once, in order with `publish`. Throws ConflictError, or BusAwayError when time is up.
   */
  store<S extends z.ZodType>(
    channel: Channel<S, StreamName>,
    envelope: Outgoing<NoInfer<S>>,
    options?: StoreOptions,
    signal?: AbortSignal,
  ): Promise<Stored>;

  /**
   * The last message stored on exactly this subject with its stream sequence, or undefined. Throws BusAwayError, or a
   * ProtocolError when it does not decode.
   */
  lastStored<S extends z.ZodType>(
    channel: Channel<S, StreamName>,
    signal?: AbortSignal,
  ): Promise<StoredMessage<S> | undefined>;

  /**
   * The newest `limit` messages that a stream holds on the channel, oldest first. Messages that do not decode are
   * counted and left out. Throws BusAwayError.
   */
  stored<S extends z.ZodType>(
    channel: Channel<S, StreamName>,
    limit: number,
    signal?: AbortSignal,
  ): Promise<readonly StoredMessage<S>[]>;

  /**
   * Core subscription; `handler` runs synchronously in order of arrival. Messages that do not decode are counted by
   * their reason and skipped. With `queue` one member of the group gets each message. Survives reconnects.
   */
  subscribe<S extends z.ZodType>(
    channel: Channel<S>,
    handler: (message: z.infer<S>, arrival: Arrival) => void,
    options?: { readonly queue?: string },
  ): Closer;

  /** Answers requests. A handler that throws is logged and leaves the request unanswered. */
  respond<Q extends z.ZodType, A extends z.ZodType>(
    channel: RequestChannel<Q, A>,
    handler: (message: z.infer<Q>) => z.input<A>,
  ): Closer;

  /** Asks and waits for the one answer; belongs to no trace. Throws BusAwayError without one within `timeoutMs` (default 2 s). */
  request<Q extends z.ZodType, A extends z.ZodType>(
    channel: RequestChannel<Q, A>,
    envelope: z.input<Q>,
    options?: { readonly timeoutMs?: number },
    signal?: AbortSignal,
  ): Promise<z.infer<A>>;

  /**
   * Subscribes to nats-server's reports on the path of traced messages (2.11 or newer, if its settings say so). Each
   * report goes to one of the programs that subscribe. docs/traces.md, the broker's own hops.
   */
  brokerTraces(handler: (report: BrokerTrace) => void): Closer;

  /** Pulls jobs from a durable consumer, exactly as many as there are free slots. docs/bus.md, claim and follow. */
  claim<S extends z.ZodType>(options: ClaimOptions<S>): Promise<Claims>;

  /** Follows one session's frames live and asks its gateway for missing ones. docs/bus.md, claim and follow. */
  follow(options: FollowOptions): Closer;

  /** The lag of every durable consumer of the streams, other teams' too. Throws BusAwayError after 15 s. */
  lags(signal?: AbortSignal): Promise<readonly ConsumerLag[]>;

  /** One kind of entry of a key-value bucket. */
  bucket<S extends z.ZodType>(row: BucketRow<S>): Bucket<z.input<S>, z.infer<S>>;

  /** True while NATS answers; a flush that takes over 1 s means it is away. */
  connected(): boolean;
  /** Called at each change of `connected()`. */
  onChange(listener: (connected: boolean) => void): Closer;
  /** Resolves when everything published so far has reached the server. Throws BusAwayError after 1 s. */
  flush(): Promise<void>;
  /**
   * Counts since the start: messages that did not decode (by drop reason), reconnects, retries, claims, redelivered
   * claims, bytes received and sent. Claims held now. The last round trip in ms.
   */
  stats(): {
    readonly drops: Readonly<Record<string, number>>;
    readonly reconnects: number;
    readonly retries: number;
    readonly claims: number;
    readonly redeliveries: number;
    readonly received: number;
    readonly sent: number;
    readonly held: number;
    readonly rtt: number;
  };
  /** Drains subscriptions, sends queued messages, and closes, within 5 s. */
  close(): Promise<void>;
}
