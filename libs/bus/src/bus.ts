import type { Inbound } from "@voxbus/protocol";
import type { z } from "zod";
import type { BrokerTrace } from "./tracing/broker-trace.ts";

/** What came with a message: its subject, the device in it (empty when there is none), and its trace headers. */
export interface Arrival {
  readonly subject: string;
  readonly device: string;
  readonly trace: Readonly<Record<string, string>>;
}

/** A handle on something that goes on until it is closed; closing twice does nothing. */
export interface Closer {
  close(): void;
}

/** Where a stored message stands in its stream; `duplicate` when it had been stored before under the same id. */
export interface Stored {
  readonly seq: number;
  readonly duplicate: boolean;
}

/** Options of a stored publish. */
export interface StoreOptions {
  /** Message id for de-duplication, such as `session:seq`. */
  readonly id?: string;
  /** Compare-and-set: the expected last sequence of this very subject (0: none yet). */
  readonly expected?: number;
  /** Trace context to send along; default: the active OpenTelemetry context. */
  readonly trace?: Readonly<Record<string, string>>;
}

/** Thrown by `store` when `expected` was not the subject's last sequence: somebody else was first. */
export class ConflictError extends Error {
  override readonly name = "ConflictError";
}

/** Thrown when NATS could not be reached within the time that the call allows. */
export class BusAwayError extends Error {
  override readonly name = "BusAwayError";
}

/** The streams of docs/bus.md. */
export type StreamName = "DEVICE_IN" | "TURNS";

/** The key-value buckets of docs/bus.md. */
export type BucketName = "gateways" | "presence" | "profiles" | "dialogues" | "devices" | "monitor";

/** A message handed to one worker, and to another one when this worker dies. */
export interface Claim<T> {
  readonly device: string;
  readonly message: T;
  /** 1 at the first delivery, more at each further one. */
  readonly attempt: number;
  /**
   * True from the 4th delivery, those not counted that followed a drain: whatever it is that kills its workers, only
   * apologise; the message is dropped afterwards.
   */
  readonly final: boolean;
  /** The trace context of this attempt at the work. */
  readonly trace: Readonly<Record<string, string>>;
  /** That of whoever stored the message: for spans that shall not wait for the end of work that takes hours. */
  readonly sent: Readonly<Record<string, string>>;
  /**
   * Aborted when the claim is handed back because the worker drains. One that went to another worker because this one
   * was paused is not noticed here: it loses its compare-and-sets.
   */
  readonly signal: AbortSignal;
}

/** What to claim and how. */
export interface ClaimOptions<S extends z.ZodType> {
  readonly stream: StreamName;
  /** Name of the durable consumer that all workers of a kind share. */
  readonly durable: string;
  readonly filters: readonly string[];
  readonly schema: S;
  /** How many claims may be held at once. */
  readonly slots: number;
  /**
   * Does the work. Resolved: acknowledged. Rejected: handed out again (at once while draining, else after 1 s), or
   * dropped when the claim was `final`; a rejection tells nothing when the process had been paused for so long that
   * another worker may have the claim. Progress is signalled every second as long as it runs.
   */
  readonly work: (claim: Claim<z.infer<S>>) => Promise<void>;
}

/** A running claim loop. */
export interface Claims {
  /** Claims that are held now. */
  held(): number;
  /**
   * Stops pulling, lets what is held finish for at most `graceMs`, then aborts and hands it back. Called again it shortens
   * the grace.
   */
  drain(graceMs: number): Promise<void>;
}

/** What to follow: one session's inbound frames from `after` (exclusive). */
export interface FollowOptions {
  readonly device: string;
  readonly session: string;
  /** The gateway that answers replays. */
  readonly gateway: string;
  /** The last seq that is known already. */
  readonly after: number;
  /** Every frame once, in order of seq. */
  readonly frame: (frame: Inbound) => void;
  /** Frames `from` to `to` could not be had (300 ms after they were asked for): conceal them. */
  readonly lost: (from: number, to: number) => void;
  /** The gateway says that the session is gone, or has not answered for `goneMs` (default 12 s). */
  readonly gone: () => void;
  readonly goneMs?: number;
}

/** One key of a bucket; `value` is parsed JSON, undefined where what stands there is none. */
export interface Entry {
  readonly key: string;
  readonly value: unknown;
  readonly revision: number;
}

/**
 * A key-value bucket of soft state; values are JSON. One that vanished is made anew on use, and every watch starts
 * over with a new snapshot when it may have missed something (reconnect, purge, bucket made anew).
 */
export interface Bucket {
  get(key: string): Promise<Entry | undefined>;
  /** The keys that begin with `prefix`, whole tokens between dots; also those that were removed within the last hour. */
  keys(prefix: string): Promise<readonly string[]>;
  /** Writes without a condition; gives the revision. With `ttlMs` the key vanishes so long after, unseen by watches. */
  put(key: string, value: unknown, options?: { readonly ttlMs?: number }): Promise<number>;
  /** Writes if the key is at `revision` (0: absent or deleted), as `put` does. Throws ConflictError. */
  update(key: string, value: unknown, revision: number, options?: { readonly ttlMs?: number }): Promise<number>;
  /** Deletes if the key is at `revision`, or in any case without it. Throws ConflictError. */
  remove(key: string, revision?: number): Promise<void>;
  /**
   * Keeps `entries` filled. `changed` gets each key with its entry, or undefined when it was removed or expired;
   * resolves when the first snapshot is in.
   */
  watch(changed?: (key: string, entry: Entry | undefined) => void): Promise<BucketWatch>;
}

/** A live view of a whole bucket: one watcher a process and bucket, never one a device. */
export interface BucketWatch extends Closer {
  readonly entries: ReadonlyMap<string, Entry>;
}

/** How far the workers of a consumer are behind. */
export interface ConsumerLag {
  readonly stream: StreamName;
  readonly durable: string;
  /** Messages that no worker has had yet. */
  readonly pending: number;
  /** Messages that workers hold. */
  readonly held: number;
  /** Of those held, how many were handed out more than once. */
  readonly redelivered: number;
}

/** The connection of one process to the bus. */
export interface Bus {
  /**
   * Publishes on core NATS: at most once, in order with everything else that this process publishes, no answer.
   * Throws BusAwayError when NATS is away, so that the caller's own bounded queue decides what is kept.
   */
  publish(subject: string, envelope: object | Uint8Array, trace?: Readonly<Record<string, string>>): void;

  /**
   * Publishes into a stream and waits for the acknowledgement: tries again for at least 15 s with the same `id`, so it
   * is stored once. Sent at once, in order with `publish`. Throws ConflictError, or BusAwayError when time is up.
   */
  store(subject: string, envelope: object | Uint8Array, options?: StoreOptions, signal?: AbortSignal): Promise<Stored>;

  /**
   * The last message stored on exactly this subject with its stream sequence, or undefined. Throws BusAwayError, or a
   * ProtocolError when it does not decode.
   */
  lastStored<S extends z.ZodType>(
    subject: string,
    schema: S,
    signal?: AbortSignal,
  ): Promise<{ readonly seq: number; readonly message: z.infer<S> } | undefined>;

  /**
   * Messages stored on `subject` (which may hold `*`) that are still there, oldest first; the newest `limit` of them. What
   * does not decode is counted and left out. Throws BusAwayError.
   */
  stored<S extends z.ZodType>(
    subject: string,
    schema: S,
    limit: number,
    signal?: AbortSignal,
  ): Promise<readonly { readonly seq: number; readonly subject: string; readonly message: z.infer<S> }[]>;

  /**
   * Core subscription; `handler` runs synchronously in order of arrival. What does not decode is counted by its reason
   * and skipped. With `queue` one member of the group gets each message. Survives reconnects.
   */
  subscribe<S extends z.ZodType>(
    subject: string,
    schema: S,
    handler: (message: z.infer<S>, arrival: Arrival) => void,
    options?: { readonly queue?: string },
  ): Closer;

  /** Answers requests on `subject`. A handler that throws is logged and leaves the request unanswered. */
  respond<S extends z.ZodType>(
    subject: string,
    schema: S,
    handler: (message: z.infer<S>) => object | Uint8Array,
  ): Closer;

  /** Asks and waits for the one answer; belongs to no trace. Throws BusAwayError when nobody answers within `timeoutMs` (default 2 s). */
  request<S extends z.ZodType>(
    subject: string,
    envelope: object,
    schema: S,
    options?: { readonly timeoutMs?: number },
    signal?: AbortSignal,
  ): Promise<z.infer<S>>;

  /**
   * What nats-server (2.11 or newer) says of the path of traced messages, if its settings have it say so; each report
   * goes to one of all programs that ask. docs/traces.md, the broker's own hops.
   */
  brokerTraces(handler: (report: BrokerTrace) => void): Closer;

  /** Pulls openings from a durable consumer, exactly as many as there are free slots. docs/bus.md, claim and follow. */
  claim<S extends z.ZodType>(options: ClaimOptions<S>): Promise<Claims>;

  /** Follows one session's frames live, asking its gateway for what is missing. docs/bus.md, claim and follow. */
  follow(options: FollowOptions): Closer;

  /** How far each durable consumer of the streams is behind, those of other teams too. Throws BusAwayError after 15 s. */
  lags(signal?: AbortSignal): Promise<readonly ConsumerLag[]>;

  bucket(name: BucketName): Bucket;

  /** True while NATS answers; a flush that takes over 1 s means it is away. */
  connected(): boolean;
  /** Called at each change of `connected()`. */
  onChange(listener: (connected: boolean) => void): Closer;
  /** Resolves when everything published so far has reached the server. Throws BusAwayError after 1 s. */
  flush(): Promise<void>;
  /**
   * Counts of what did not decode (by drop reason), reconnects, retries, claims that came and those of them that came
   * again, and bytes from and to NATS; how many claims are held now; and the last round trip in ms.
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
  /** Drains subscriptions, sends what waits, and closes; bounded by 5 s. */
  close(): Promise<void>;
}
