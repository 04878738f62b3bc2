import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig } from "@nats-io/jetstream";
import { bucketLifetimes, bucketNames, bucketShares, subjectsOfStream, storedPattern } from "@voxbus/protocol";
import { defaultSizes, type StreamSizes } from "../config.ts";
import type { Names } from "../names.ts";

const second = 1_000_000_000;
const minute = 60 * second;
const hour = 60 * minute;
/** Bytes of the unit of `StreamSizes`. */
export const megabyte = 1024 ** 2;
const allShares = Object.values(bucketShares).reduce((sum, share) => sum + share, 0);

/** The configuration of a stream, and which of its limits a variable sets. */
export interface Definition {
  readonly config: Partial<StreamConfig> & { readonly name: string; readonly max_bytes: number };
  readonly chosen: readonly string[];
}

/** Adds the defaults to the sizes that variables set. */
export function fillSizes({
  VOXBUS_NATS_REPLICAS = defaultSizes.VOXBUS_NATS_REPLICAS,
  VOXBUS_DEVICE_IN_MB = defaultSizes.VOXBUS_DEVICE_IN_MB,
  VOXBUS_TURNS_MB = defaultSizes.VOXBUS_TURNS_MB,
  VOXBUS_BUCKETS_MB = defaultSizes.VOXBUS_BUCKETS_MB,
}: StreamSizes) {
  return { VOXBUS_NATS_REPLICAS, VOXBUS_DEVICE_IN_MB, VOXBUS_TURNS_MB, VOXBUS_BUCKETS_MB };
}

/** Defines every stream and bucket (docs/bus.md). It is the same in every program. Ages are in ns. */
export function defineStreams(names: Names, given: StreamSizes): readonly Definition[] {
  const sizes = fillSizes(given);
  const every = {
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    num_replicas: sizes.VOXBUS_NATS_REPLICAS,
    allow_direct: true,
  };
  const chosenBy = (variable: keyof StreamSizes): readonly string[] => [
    ...(given[variable] === undefined ? [] : ["max_bytes"]),
    ...(given.VOXBUS_NATS_REPLICAS === undefined ? [] : ["num_replicas"]),
  ];
  const subjectsOf = (stream: "DEVICE_IN" | "TURNS") => subjectsOfStream(stream).map(names.subject);
  const streams: readonly Definition[] = [
    {
      config: {
        ...every,
        name: names.stream("DEVICE_IN"),
        subjects: subjectsOf("DEVICE_IN"),
        max_age: 6 * hour,
        max_bytes: sizes.VOXBUS_DEVICE_IN_MB * megabyte,
        // One device drops its own oldest messages, long before it could fill the stream and drop those of others.
        max_msgs_per_subject: 256,
        duplicate_window: 2 * minute,
      },
      chosen: chosenBy("VOXBUS_DEVICE_IN_MB"),
    },
    {
      config: {
        ...every,
        name: names.stream("TURNS"),
        subjects: subjectsOf("TURNS"),
        max_age: hour,
        max_bytes: sizes.VOXBUS_TURNS_MB * megabyte,
        max_msgs_per_subject: 1024,
        duplicate_window: 10 * minute,
        republish: {
          src: names.subject("device.>"),
          dest: names.subject(storedPattern.replace("<subject>", "device.>")),
        },
      },
      chosen: chosenBy("VOXBUS_TURNS_MB"),
    },
  ];
  const buckets = bucketNames.map((bucket) => ({
    config: {
      ...every,
      name: names.bucketStream(bucket),
      subjects: [names.bucketSubject(bucket, ">")],
      max_msgs_per_subject: 1,
      max_bytes: Math.floor((sizes.VOXBUS_BUCKETS_MB * megabyte * bucketShares[bucket]) / allShares),
      discard: DiscardPolicy.New,
      allow_rollup_hdrs: true,
      deny_delete: true,
      allow_msg_ttl: true,
      ...(bucketLifetimes[bucket] === undefined ? {} : { max_age: bucketLifetimes[bucket] * 1_000_000 }),
      // Without the delete marker watchers would not notice that a lease expired.
      ...(bucket === "gateways" ? { subject_delete_marker_ttl: minute } : {}),
    },
    chosen: chosenBy("VOXBUS_BUCKETS_MB"),
  }));
  return [...streams, ...buckets];
}
