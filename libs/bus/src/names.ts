import {
  channels,
  shadowPattern,
  storedPattern,
  streamNames,
  type BucketName,
  type Channel,
  type StreamName,
} from "@voxbus/protocol";
import type { z } from "zod";

/** The subject of nats-server's reports on traced messages: the account's `msg_trace` in its settings (docs/traces.md). */
export const brokerTraceSubject = "voxbus.trace";

/** The first tokens of our subjects. A prefix of that name would put a system's subjects among those of another. */
const firstTokens: ReadonlySet<string> = new Set(
  [...Object.values(channels).map(({ pattern }) => pattern), storedPattern, shadowPattern, brokerTraceSubject].map(
    (pattern) => pattern.split(".")[0] ?? "",
  ),
);

/** Names and subjects as NATS has them. Everywhere else in the code they are those of docs/bus.md, without a prefix. */
export interface Names {
  /** The name of the system: its prefix, or `voxbus`. */
  readonly system: string;
  /**
   * The prefix of the subjects on which services answer who asks for them. Every program may publish there, so that no program
   * needs to publish on another one's inbox.
   */
  readonly discoveryInbox: string;
  stream(stream: StreamName): string;
  bucket(bucket: BucketName): string;
  /** The stream behind a bucket. */
  bucketStream(bucket: BucketName): string;
  /** The stream behind a stream or a bucket. */
  streamOf(name: StreamName | BucketName): string;
  /** The subject of a bucket's key. */
  bucketSubject(bucket: BucketName, key: string): string;
  durable(durable: string): string;
  /** The name of a durable without what `durable` added. Gives a foreign one as it is. */
  plainDurable(durable: string): string;
  queue(queue: string): string;
  /** The subject and the stream of a channel's stored messages. */
  place(channel: Channel<z.ZodType, StreamName>): { readonly subject: string; readonly stream: string };
  subject(subject: string): string;
  /** The subject without its prefix. */
  plain(subject: string): string;
  /** True for a subject of this system's channels. */
  owns(subject: string): boolean;
  /** The prefix of the subjects on which a program of this name gets answers, so that NATS can keep others from reading them. */
  inboxPrefix(program: string | undefined): string;
}

/** True when a prefix is the first token of our own subjects, or our own name. */
export function isReserved(prefix: string): boolean {
  return firstTokens.has(prefix);
}

/** Creates the names of a system. `prefix` (`VOXBUS_NATS_PREFIX`) sets it apart from others on the same NATS. */
export function createNames(prefix = ""): Names {
  const owner = prefix || "voxbus";
  const before = prefix && `${prefix}.`;
  const own = (name: string) => `${owner}_${name}`;
  const bucketStream = (name: BucketName) => `KV_${own(name)}`;
  return {
    system: owner,
    discoveryInbox: `${before}_INBOX.discovery`,
    stream: own,
    bucket: own,
    durable: own,
    bucketStream,
    streamOf: (name) => (isStream(name) ? own(name) : bucketStream(name)),
    bucketSubject: (name, key) => `$KV.${own(name)}.${key}`,
    plainDurable: (durable) => (durable.startsWith(own("")) ? durable.slice(own("").length) : durable),
    queue: (queue) => (prefix ? own(queue) : queue),
    place: (channel) => ({ subject: before + channel.subject, stream: own(channel.delivery) }),
    subject: (subject) => before + subject,
    plain: (subject) => (subject.startsWith(before) ? subject.slice(before.length) : subject),
    owns: (subject) => subject.startsWith(before) && firstTokens.has(subject.slice(before.length).split(".")[0] ?? ""),
    inboxPrefix: (program) => `${before}_INBOX${program === undefined ? "" : `.${program.replaceAll(/[^\w-]/g, "_")}`}`,
  };
}

function isStream(name: StreamName | BucketName): name is StreamName {
  return (streamNames as readonly string[]).includes(name);
}
