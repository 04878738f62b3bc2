import { isDeepStrictEqual } from "node:util";
import { DiscardPolicy, JetStreamApiError, StorageType, type JetStreamManager } from "@nats-io/jetstream";
import type { StreamConfig } from "@nats-io/jetstream";
import {
  bucketLifetimes,
  bucketNames,
  storedPattern,
  subjectsOfStream,
  type BucketName,
  type StreamName,
} from "@voxbus/protocol";
import type { BusLog } from "../config.ts";
import { DeniedError } from "../errors.ts";
import { explainDenial, isMissing, isNameTaken, isTransient } from "../nats/nats-errors.ts";

const second = 1_000_000_000;
const minute = 60 * second;
const hour = 60 * minute;
const gibibyte = 1024 ** 3;

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
function defineStreams(replicas: number): readonly Definition[] {
  const every = { storage: StorageType.File, num_replicas: replicas, allow_direct: true };
  const streams: readonly (Definition & { readonly name: StreamName })[] = [
    {
      ...every,
      name: "DEVICE_IN",
      subjects: subjectsOfStream("DEVICE_IN"),
      max_age: 6 * hour,
      max_bytes: gibibyte,
      // One device drops its own oldest messages, long before it could fill the stream and drop those of others.
      max_msgs_per_subject: 256,
      duplicate_window: 2 * minute,
    },
    {
      ...every,
      name: "TURNS",
      subjects: subjectsOfStream("TURNS"),
      max_age: hour,
      max_bytes: gibibyte,
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
 * rejects the change, or does not permit to create it. A program that may not update a stream uses it as it is.
 */
export type EnsureStreams = (name?: string) => Promise<void>;

/** Creates `EnsureStreams`. Simultaneous calls for one stream share one run. */
export function createEnsureStreams(jsm: JetStreamManager, replicas: number, log: BusLog): EnsureStreams {
  const definitions = new Map(defineStreams(replicas).map((definition) => [definition.name, definition]));
  const running = new Map<string, Promise<void>>();

  const ensureOne = (definition: Definition): Promise<void> => {
    const { name } = definition;
    let promise = running.get(name);
    if (promise === undefined) {
      promise = ensureStream(jsm, definition, log).finally(() => running.delete(name));
      running.set(name, promise);
    }
    return promise;
  };

  return async (name) => {
    const wanted = [...definitions.values()].filter((definition) => name === undefined || definition.name === name);
    await Promise.all(wanted.map(ensureOne));
  };
}

async function ensureStream(jsm: JetStreamManager, definition: Definition, log: BusLog): Promise<void> {
  const { name } = definition;
  try {
    const current = await findStream(jsm, definition);
    const differing = Object.entries(definition).filter(
      ([key, value]) => !isDeepStrictEqual(current[key as keyof StreamConfig], value),
    );
    if (differing.length > 0) await updateStream(jsm, { name, changes: Object.fromEntries(differing) }, log);
  } catch (cause) {
    const denial = explainDenial(cause);
    if (denial instanceof DeniedError) {
      throw new DeniedError(`the stream ${name} cannot be looked up or created: ${denial.message}`, { cause });
    }
    if (!(cause instanceof JetStreamApiError) || isTransient(cause)) throw cause;
    throw new Error(`the stream ${name} cannot be created or updated as docs/bus.md says: ${cause.message}`, { cause });
  }
}

async function updateStream(
  jsm: JetStreamManager,
  { name, changes }: { readonly name: string; readonly changes: Partial<StreamConfig> },
  log: BusLog,
): Promise<void> {
  try {
    await jsm.streams.update(name, changes);
  } catch (error) {
    const err = explainDenial(error);
    if (!(err instanceof DeniedError)) throw error;
    log.warn({ err, stream: name, fields: Object.keys(changes) }, "stream update denied");
  }
}

async function findStream(jsm: JetStreamManager, definition: Definition): Promise<StreamConfig> {
  try {
    return (await jsm.streams.info(definition.name)).config;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  try {
    return (await jsm.streams.add(definition)).config;
  } catch (error) {
    if (!isNameTaken(error)) throw error;
    return (await jsm.streams.info(definition.name)).config;
  }
}
