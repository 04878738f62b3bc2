import { isDeepStrictEqual } from "node:util";
import { DiscardPolicy, JetStreamApiError, StorageType, type JetStreamManager } from "@nats-io/jetstream";
import type { StreamConfig } from "@nats-io/jetstream";
import {
  bucketLifetimes,
  bucketNames,
  bucketShares,
  storedPattern,
  subjectsOfStream,
  type BucketName,
  type StreamName,
} from "@voxbus/protocol";
import type { BusLog, StreamSizes } from "../config.ts";
import { DeniedError, NatsSetupError } from "../errors.ts";
import type { NatsClock } from "../nats/clock.ts";
import { explainDenial, isMissing, isNameTaken, isQuota, isTransient } from "../nats/nats-errors.ts";

const second = 1_000_000_000;
const minute = 60 * second;
const hour = 60 * minute;
const megabyte = 1024 ** 2;
const allShares = Object.values(bucketShares).reduce((sum, share) => sum + share, 0);

/** The name of the stream behind a bucket. */
export function bucketStream(bucket: BucketName): string {
  return `KV_${bucket}`;
}

/** The subject of a bucket's key. */
export function bucketSubject(bucket: BucketName, key: string): string {
  return `$KV.${bucket}.${key}`;
}

type Definition = Partial<StreamConfig> & { readonly name: string };

/** The configuration of every stream and bucket (docs/bus.md). It is the same in every program. Ages are in ns. */
function defineStreams(replicas: number, sizes: StreamSizes): readonly Definition[] {
  const every = { storage: StorageType.File, num_replicas: replicas, allow_direct: true };
  const streams: readonly (Definition & { readonly name: StreamName })[] = [
    {
      ...every,
      name: "DEVICE_IN",
      subjects: subjectsOfStream("DEVICE_IN"),
      max_age: 6 * hour,
      max_bytes: sizes.VOXBUS_DEVICE_IN_MB * megabyte,
      // One device drops its own oldest messages, long before it could fill the stream and drop those of others.
      max_msgs_per_subject: 256,
      duplicate_window: 2 * minute,
    },
    {
      ...every,
      name: "TURNS",
      subjects: subjectsOfStream("TURNS"),
      max_age: hour,
      max_bytes: sizes.VOXBUS_TURNS_MB * megabyte,
      max_msgs_per_subject: 1024,
      duplicate_window: 10 * minute,
      republish: { src: "device.>", dest: storedPattern.replace("<subject>", "device.>") },
    },
  ];
  const buckets = bucketNames.map((bucket) => ({
    ...every,
    name: bucketStream(bucket),
    subjects: [bucketSubject(bucket, ">")],
    max_msgs_per_subject: 1,
    max_bytes: Math.floor((sizes.VOXBUS_BUCKETS_MB * megabyte * bucketShares[bucket]) / allShares),
    discard: DiscardPolicy.New,
    allow_rollup_hdrs: true,
    deny_delete: true,
    allow_msg_ttl: true,
    ...(bucketLifetimes[bucket] === undefined ? {} : { max_age: bucketLifetimes[bucket] * 1_000_000 }),
    // Without the delete marker watchers would not notice that a lease expired.
    ...(bucket === "gateways" ? { subject_delete_marker_ttl: minute } : {}),
  }));
  return [...streams, ...buckets];
}

/**
 * Creates or updates one stream, or all of them, to match `defineStreams`. Throws an error that names the stream when NATS
 * rejects the change or does not permit to create it, or the storage that is needed when NATS grants less. A program that
 * may not update a stream uses it as it is.
 */
export type EnsureStreams = (name?: string) => Promise<void>;

/** Dependencies of `EnsureStreams`. */
interface StreamDeps {
  readonly jsm: JetStreamManager;
  /** Told the time at which NATS answered a request that was sent at `sentAt` (`performance.now()`). */
  readonly clock: Pick<NatsClock, "learn">;
  readonly log: BusLog;
}

/** Creates `EnsureStreams`. Simultaneous calls for one stream share one run. */
export function createEnsureStreams(deps: StreamDeps, replicas: number, sizes: StreamSizes): EnsureStreams {
  const definitions = defineStreams(replicas, sizes);
  const running = new Map<string, Promise<void>>();

  const ensureWithin = async (definition: Definition): Promise<void> => {
    try {
      await ensureStream(deps, definition);
    } catch (error) {
      if (!isQuota(error)) throw error;
      // Streams that exist may still reserve what they no longer need.
      await Promise.all(definitions.map((other) => shrinkStream(deps, other)));
      try {
        await ensureStream(deps, definition);
      } catch (cause) {
        if (!isQuota(cause)) throw cause;
        throw await explainQuota(deps.jsm, { replicas, sizes, cause });
      }
    }
  };

  const ensureOne = (definition: Definition): Promise<void> => {
    const { name } = definition;
    let promise = running.get(name);
    if (promise === undefined) {
      promise = ensureWithin(definition).finally(() => running.delete(name));
      running.set(name, promise);
    }
    return promise;
  };

  return async (name) => {
    await Promise.all(definitions.filter((one) => name === undefined || one.name === name).map(ensureOne));
  };
}

/** Explains that NATS grants too little storage, with the number that is needed. */
async function explainQuota(
  jsm: JetStreamManager,
  { replicas, sizes, cause }: { readonly replicas: number; readonly sizes: StreamSizes; readonly cause: unknown },
): Promise<Error> {
  const all = Object.values(sizes).reduce((sum, size) => sum + size, 0);
  const copies = replicas === 1 ? "" : ` in each of ${replicas} copies, ${all * replicas} MB in all`;
  const granted = await jsm.getAccountInfo().then(
    ({ limits }) => limits.max_storage,
    () => -1,
  );
  const limit = granted > 0 ? ` This account may use ${Math.floor(granted / megabyte)} MB.` : "";
  return new NatsSetupError(
    `NATS has too little storage: the streams and buckets need ${all} MB${copies}.${limit} Raise the limit of NATS, or lower ${Object.keys(sizes).join(", ")}`,
    { cause },
  );
}

/** Lowers the size of a stream that exists and is larger than defined. */
async function shrinkStream(deps: StreamDeps, { name, max_bytes = 0 }: Definition): Promise<void> {
  try {
    const { config } = await deps.jsm.streams.info(name);
    if (config.max_bytes < 0 || config.max_bytes > max_bytes)
      await updateStream(deps, { name, changes: { max_bytes } });
  } catch (error) {
    if (!isMissing(error) && !(explainDenial(error) instanceof DeniedError)) throw error;
  }
}

async function ensureStream(deps: StreamDeps, definition: Definition): Promise<void> {
  const { name } = definition;
  try {
    const current = await findStream(deps, definition);
    const differing = Object.entries(definition).filter(
      ([key, value]) => !isDeepStrictEqual(current[key as keyof StreamConfig], value),
    );
    if (differing.length > 0) await updateStream(deps, { name, changes: Object.fromEntries(differing) });
  } catch (cause) {
    const denial = explainDenial(cause);
    if (denial instanceof DeniedError) {
      throw new DeniedError(`the stream ${name} cannot be looked up or created: ${denial.message}`, { cause });
    }
    if (!(cause instanceof JetStreamApiError) || isTransient(cause) || isQuota(cause)) throw cause;
    throw new Error(`the stream ${name} cannot be created or updated as docs/bus.md says: ${cause.message}`, { cause });
  }
}

async function updateStream(
  { jsm, log }: StreamDeps,
  { name, changes }: { readonly name: string; readonly changes: Partial<StreamConfig> },
): Promise<void> {
  try {
    await jsm.streams.update(name, changes);
  } catch (error) {
    const err = explainDenial(error);
    if (!(err instanceof DeniedError)) throw error;
    log.warn({ err, stream: name, fields: Object.keys(changes) }, "stream update denied");
  }
}

async function findStream({ jsm, clock }: StreamDeps, definition: Definition): Promise<StreamConfig> {
  try {
    const sentAt = performance.now();
    const { config, ts } = await jsm.streams.info(definition.name);
    clock.learn(ts, sentAt);
    return config;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  try {
    const sentAt = performance.now();
    const { config, ts } = await jsm.streams.add(definition);
    clock.learn(ts, sentAt);
    return config;
  } catch (error) {
    if (!isNameTaken(error)) throw error;
    return (await jsm.streams.info(definition.name)).config;
  }
}
