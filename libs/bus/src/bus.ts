import type {
  BadMessage,
  BucketRow,
  Channel,
  DropReason,
  Encoded,
  Inbound,
  RequestChannel,
  StreamName,
} from "@voxbus/protocol";
import type { z } from "zod";
import type { Arrival } from "./arrival.ts";
import type { Closer } from "./closer.ts";
import type { ClaimOptions, Claims } from "./jetstream/claim-options.ts";
import type { DropDetails } from "./nats/drops.ts";
import type { RawMessage } from "./raw-message.ts";
import type { ConsumerLag } from "./jetstream/lags.ts";
import type { Stored, StoredMessages, StoredRange } from "./stored-messages.ts";
import type { Discovery, Served, ServiceDescription, ServiceInfo } from "./services/service.ts";
import type { BrokerTrace } from "./tracing/broker-trace.ts";

/** Options of a stored publish. */
export interface StoreOptions {
  /** Message id for de-duplication, such as `session:seq`. */
  readonly id?: string;
  /** Compare-and-set: the expected last sequence of exactly this subject. 0: the subject is empty. */
  readonly expected?: number;
  /** Trace context of the message. Default: the active OpenTelemetry context. */
  readonly trace?: Readonly<Record<string, string>>;
}

/** An envelope of `S` on its way out: as an object without `v`, or encoded. */
export type Outgoing<S extends z.ZodType> = z.input<S> | Encoded<S>;

/** Options of a follow: one session's inbound frames after `after`. */
export interface FollowOptions {
  readonly device: string;
  readonly session: string;
  /** The gateway that answers replays. */
  readonly gateway: string;
  /** The last seq that is already known. */
  readonly after: number;
  /** Called once with each frame, in order of seq. */
  readonly frame: (frame: Inbound) => unknown;
  /** Called when frames `from` to `to` did not arrive within 300 ms of the request for them. */
  readonly lost: (from: number, to: number) => unknown;
  /** Called when the gateway answers that the session is gone, or has not answered for `goneMs` (default 12 s). */
  readonly gone: () => unknown;
  readonly goneMs?: number;
}

/** One entry of a bucket. `value` is undefined if the stored bytes do not match the schema. */
export interface Entry<V> {
  readonly id: string;
  readonly value: V | undefined;
  readonly revision: number;
}

/**
 * One kind of entry in a key-value bucket of soft state. Values are JSON. A missing bucket is created again on use. A watch
 * starts over with a new snapshot when it may have missed something (reconnect, purge, a new bucket).
 */
export interface Bucket<In, V> {
  get(id: string): Promise<Entry<V> | undefined>;
  /** The ids that begin with `prefix` and a dot, or all ids. Includes ids removed within the last hour. */
  ids(prefix?: string): Promise<readonly string[]>;
  /** Writes without a condition. Returns the revision. `ttlMs`, whole seconds: the entry expires, which watches do not see. */
  put(id: string, value: In, options?: { readonly ttlMs?: number }): Promise<number>;
  /** Writes if the entry is at `revision` (0: absent or removed). Returns the new revision. Throws ConflictError. */
  update(id: string, value: In, revision: number): Promise<number>;
  /**
   * Reads the entry, changes its value, and writes it by compare-and-set. Tries up to 10 times, about 1 s, when another
   * writer was first, then throws ConflictError. `change` returns undefined to leave the entry as it is.
   */
  modify(id: string, change: (value: V | undefined) => In | undefined | Promise<In | undefined>): Promise<void>;
  /** Removes the entry. With `revision`, only if the entry is at it; 0: only without an entry. Throws ConflictError. */
  remove(id: string, revision?: number): Promise<void>;
  /**
   * Keeps `entries` up to date. Calls `changed` with each id and its entry, or undefined when it was removed or expired.
   * Resolves when the first snapshot is complete. An error of `changed` is handled as in `Bus.subscribe`.
   */
  watch(changed?: (id: string, entry: Entry<V> | undefined) => unknown): Promise<BucketWatch<V>>;
}

/** A live view of one kind of entry, by id. Open one per process, never one per device. */
export interface BucketWatch<V> extends Closer {
  readonly entries: ReadonlyMap<string, Entry<V>>;
}

/** The connection of one process to the bus. The channel decides the envelope; the bus adds its version `v`. */
export interface Bus {
  /**
   * Publishes on core NATS: at most once, in order with everything else that this process publishes, without an answer.
   * Throws BusAwayError when NATS is away, so that the caller's own bounded queue decides what is kept.
   */
  publish<S extends z.ZodType>(
    channel: Channel<S, "live">,
    envelope: Outgoing<NoInfer<S>>,
    trace?: Readonly<Record<string, string>>,
  ): void;

  /**
   * Publishes into a stream and waits for the acknowledgement. Retries for at least 15 s with the same `id`, so the message
   * is stored once. The first attempt is sent at once, in order with `publish`. Throws ConflictError, StorageFullError, or
   * BusAwayError when the time is up.
   */
  store<S extends z.ZodType>(
    channel: Channel<S, StreamName>,
    envelope: Outgoing<NoInfer<S>>,
    options?: StoreOptions,
    signal?: AbortSignal,
  ): Promise<Stored>;

  /**
   * Reads the last message stored on exactly this subject. Where it does not decode, it is counted, and the last one of the
   * newest 64 that does is read instead. Throws BusAwayError.
   */
  lastStored<S extends z.ZodType>(
    channel: Channel<S, StreamName>,
    signal?: AbortSignal,
  ): Promise<{ readonly message: z.infer<S> | undefined; readonly newest: number }>;

  /**
   * Reads the newest messages of a range (a number: its limit) that a stream holds on the channel. Messages that do not decode are counted and
   * left out. `newest` is known even if the range from a time is empty. Throws BusAwayError.
   */
  stored<S extends z.ZodType>(
    channel: Channel<S, StreamName>,
    range: number | StoredRange,
    signal?: AbortSignal,
  ): Promise<StoredMessages<z.infer<S>>>;

  /** Removes every message of a device from the streams. Throws BusAwayError. */
  forget(device: string, signal?: AbortSignal): Promise<void>;

  /**
   * Subscribes on core NATS. `handler` runs synchronously in order of arrival. Messages that do not decode are counted by
   * reason and skipped. An error that `handler` throws, or rejects with, is logged and counted as `handler-failed`, and the
   * next message is handled. With `queue`, one member of the group gets each message. Survives reconnects. Throws RangeError for
   * an invalid name of a queue.
   */
  subscribe<S extends z.ZodType>(
    channel: Channel<S>,
    handler: (message: z.infer<S>, arrival: Arrival) => unknown,
    options?: { readonly queue?: string },
  ): Closer;

  /**
   * Subscribes to a subject pattern without decoding, for programs that show or keep messages as they came, malformed ones
   * too. Delivery, order and errors of `handler` are those of `subscribe`.
   */
  subscribeRaw(pattern: string, handler: (message: RawMessage) => unknown): Closer;

  /** Answers requests; several at once if it is async. One that does not decode, or fails, is refused with the reason. */
  respond<Q extends z.ZodType, A extends z.ZodType>(
    channel: RequestChannel<Q, A>,
    handler: (message: z.infer<Q>, arrival: Arrival) => z.input<A> | Promise<z.input<A>>,
  ): Closer;

  /**
   * Sends a request, without trace context unless given, and takes the first answer. Throws NoResponderError if no program
   * answers, BusAwayError after `timeoutMs` (2 s), RefusedError, and ProtocolError if the answer does not decode, which is also
   * reported as a message that is dropped.
   */
  request<Q extends z.ZodType, A extends z.ZodType>(
    channel: RequestChannel<Q, A>,
    envelope: z.input<Q>,
    options?: { readonly timeoutMs?: number; readonly trace?: Readonly<Record<string, string>> },
    signal?: AbortSignal,
  ): Promise<z.infer<A>>;

  /** Registers this process as a service of NATS's services API, until it is closed. */
  serve(description: ServiceDescription): Served;
  /** Calls `found` with each service that answers `ask`, and `gone` with the id of one whose connection is gone. */
  discover(found: (service: ServiceInfo) => unknown, gone?: (id: string) => unknown): Discovery;

  /**
   * Subscribes to nats-server's reports on the path of traced messages (2.11 or newer, if its settings enable them). Each
   * report goes to one of the subscribed programs. docs/traces.md, "The broker's own hops".
   */
  brokerTraces(handler: (report: BrokerTrace) => void): Closer;

  /** Pulls jobs from a durable consumer, exactly as many as there are free slots. docs/bus.md, "Claim and follow". */
  claim<S extends z.ZodType>(options: ClaimOptions<S>): Promise<Claims>;

  /** Follows one session's frames live and asks its gateway for missing ones. docs/bus.md, "Claim and follow". */
  follow(options: FollowOptions): Closer;

  /** Reads the lag of every durable consumer of the streams, also of foreign ones. Throws BusAwayError after 15 s. */
  lags(signal?: AbortSignal): Promise<readonly ConsumerLag[]>;

  /** Opens one kind of entry of a key-value bucket. */
  bucket<S extends z.ZodType>(row: BucketRow<S>): Bucket<z.input<S>, z.infer<S>>;

  /** True while NATS answers. A ping that takes over 1 s means that NATS is away. */
  connected(): boolean;
  /** Names the NATS that answers. A single server has another name after a restart; a cluster keeps its own. */
  server(): string;
  /**
   * False from 4 s after NATS stopped to store messages until it stores again, although it may be connected. Always true in
   * a program that stores nothing.
   */
  storing(): boolean;
  /** Gives the time by the clock of NATS, in ms since the epoch. The clock of this machine may be off by hours. */
  now(): number;
  /** Calls `listener` at each change of `connected()`. */
  onChange(listener: (connected: boolean) => unknown): Closer;
  /** Resolves when everything published so far has reached the server. Throws BusAwayError after 1 s. */
  flush(): Promise<void>;
  /**
   * Reads counts since the start: messages that did not decode or whose handler failed (by drop reason), reconnects,
   * retries, claims, redelivered claims, bytes received and sent, what NATS did not permit, and messages that found the
   * storage full. Also the claims held
   * now, the bytes that wait to be written to NATS, and the last round trip in ms.
   */
  stats(): {
    readonly drops: Readonly<Record<string, number>>;
    readonly reconnects: number;
    readonly retries: number;
    readonly denied: number;
    readonly full: number;
    readonly claims: number;
    readonly redeliveries: number;
    readonly received: number;
    readonly sent: number;
    readonly held: number;
    readonly queued: number;
    readonly rtt: number;
  };
  /** Counts a message that the caller drops, logs it as `subscribe` does, and tells it on the bus. */
  drop(subject: string, reason: DropReason, details?: DropDetails): void;
  /** The kinds of messages that were dropped in the last 10 minutes, as `stats` reports them. */
  badMessages(): readonly BadMessage[];
  /** Drains subscriptions, sends queued messages, and closes, within 6 s. */
  close(): Promise<void>;
}
