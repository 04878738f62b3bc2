import { brokerTraceSubject, createNames, type Names } from "@voxbus/bus";
import { channels, storedPattern, streamNames, type BucketName, type StreamName } from "@voxbus/protocol";
import { grants, listenerUser, shadowSubjects, type ChannelName, type Grant } from "./grants.ts";

/** Subjects as NATS writes them in a user's permissions. */
export interface Permissions {
  readonly publish: readonly string[];
  /** Subjects that `publish` would allow and that are denied. */
  readonly publishDenied: readonly string[];
  /** Where a subject is there with queue groups behind it, too, the user may join no others. */
  readonly subscribe: readonly string[];
  /** The time within which it may answer each request that it receives, if it answers any. */
  readonly answersWithin?: string | undefined;
}

/** Names the variable with a user's password. nats-server reads it. */
export function passwordVariable({ user }: Pick<Grant, "user">, prefix = ""): string {
  return `VOXBUS_NATS_${nameUser(user, prefix).replaceAll("-", "_").toUpperCase()}_PASSWORD`;
}

/** Names the user of a program of the system with a prefix. */
export function nameUser(user: string, prefix: string): string {
  return prefix === "" ? user : `${prefix}_${user}`;
}

/** Makes the subjects of a grant. `streams`: the streams and buckets that the program declares. */
export function permissionsOf(
  grant: Grant,
  streams: readonly (StreamName | BucketName)[],
  names: Names = createNames(),
): Permissions {
  const { user, publishes, subscribes, follows = [] } = grant;
  const isListener = user === listenerUser;
  const subjects = (rows: readonly ChannelName[]) => rows.map((row) => names.subject(channels[row]().subject));
  const again = follows.map((row) => names.subject(storedPattern.replace("<subject>", channels[row]().subject)));
  const own = (program: string) => [channels.stats, channels.error].map((row) => names.subject(row(program).subject));
  return {
    publish: [
      ...subjects(publishes),
      ...own(isListener ? "*" : user),
      ...(grant.shadows === "publishes" ? [names.subject(shadowSubjects)] : []),
      // nats-server reports on a traced message in the name of its publisher.
      ...(isListener ? [] : [brokerTraceSubject]),
      ...(grant.writes ?? []).map((bucket) => names.bucketSubject(bucket, ">")),
      ...listJetStream(grant, streams, names),
      ...(grant.discovers ? discoverySubjects : []),
      `${names.discoveryInbox}.>`,
    ],
    publishDenied: isListener ? grants.filter((one) => one !== grant).flatMap((one) => own(one.user)) : [],
    subscribe: [
      ...subjects(subscribes),
      ...again,
      // In a group of another program, a shadow would take messages from it.
      ...(grant.shadows === "publishes"
        ? [...subjects(subscribes), ...again].map((subject) => `${subject} ${names.queue(shadowSubjects)}`)
        : []),
      ...(grant.shadows === "subscribes" ? [names.subject(shadowSubjects)] : []),
      ...(grant.keepsStreams ? [brokerTraceSubject] : []),
      ...listServiceSubjects(grant),
      ...(grant.discovers ? [`${names.discoveryInbox}.>`] : []),
      ...(isListener ? [] : [`${names.inboxPrefix(user)}.>`]),
    ],
    answersWithin: answerTime(subscribes),
  };
}

/** The subjects on which the services of NATS's services API are asked for, and one of them is tested. */
export const discoverySubjects = ["$SRV.INFO", "$SRV.PING.*.*"];

/** Gives the subjects on which a program is asked as a service. A listener may have any name. */
export function listServiceSubjects({ user }: Grant): readonly string[] {
  return user === listenerUser ? ["$SRV.>"] : ["$SRV.*", `$SRV.*.${user}`, `$SRV.*.${user}.*`];
}

/** A call of a tool may take 2 minutes. */
function answerTime(subscribes: readonly ChannelName[]): string | undefined {
  if (subscribes.includes("tool")) return "125s";
  return subscribes.some((name) => channels[name].delivery === "request") ? "5s" : undefined;
}

function listJetStream(grant: Grant, streams: readonly (StreamName | BucketName)[], names: Names): readonly string[] {
  const { user, claims = [], looksUp = [], reads = [], watches = [], keepsStreams, backsUp } = grant;
  const api = (call: string) => `$JS.API.${call}`;
  const isStream = (name: StreamName | BucketName): name is StreamName => streamNames.some((one) => one === name);
  const durable = names.durable(user);
  return [
    ...[...streams, ...looksUp]
      .map(names.streamOf)
      .flatMap((stream) => [
        api(`STREAM.INFO.${stream}`),
        api(`STREAM.CREATE.${stream}`),
        ...(keepsStreams ? [api(`STREAM.UPDATE.${stream}`)] : []),
      ]),
    ...(backsUp ? [api("INFO"), ...looksUp.flatMap((name) => listCopyCalls(names.streamOf(name)))] : []),
    ...(keepsStreams
      ? streams
          .filter(isStream)
          .map(names.stream)
          .flatMap((stream) => [api(`CONSUMER.LIST.${stream}`), api(`STREAM.PURGE.${stream}`)])
      : []),
    ...reads.flatMap((name) => [
      api(`STREAM.MSG.GET.${names.streamOf(name)}`),
      ...(isStream(name) ? [api(`DIRECT.GET.${names.stream(name)}`)] : []),
    ]),
    ...watches.flatMap((bucket) => [
      api(`CONSUMER.CREATE.${names.bucketStream(bucket)}.*.${names.bucketSubject(bucket, ">")}`),
      api(`CONSUMER.DELETE.${names.bucketStream(bucket)}.*`),
    ]),
    ...claims
      .map(names.stream)
      .flatMap((stream) => [
        api(`CONSUMER.INFO.${stream}.${durable}`),
        api(`CONSUMER.DURABLE.CREATE.${stream}.${durable}`),
        api(`CONSUMER.MSG.NEXT.${stream}.${durable}`),
        `$JS.ACK.${stream}.${durable}.>`,
        `$JS.ACK.*.*.${stream}.${durable}.>`,
      ]),
  ];
}

/** The calls that copy, remove and restore a stream, and the subjects of the pieces. */
function listCopyCalls(stream: string): readonly string[] {
  return [
    ...["SNAPSHOT", "RESTORE", "DELETE"].map((call) => `$JS.API.STREAM.${call}.${stream}`),
    `$JS.SNAPSHOT.ACK.${stream}.>`,
    `$JS.SNAPSHOT.RESTORE.${stream}.*`,
  ];
}

/**
 * Writes deploy/nats/accounts.conf, or the same for the systems with these prefixes. `streamsOf` gives what a program
 * declares.
 */
export function writeAccounts(
  streamsOf: (user: string) => readonly (StreamName | BucketName)[],
  prefixes: readonly string[] = [""],
): string {
  const users = prefixes.flatMap((prefix) =>
    grants.map((grant) => writeUser(grant, prefix, permissionsOf(grant, streamsOf(grant.user), createNames(prefix)))),
  );
  return `# One user for each program, with the permissions that it needs (docs/bus.md, permissions). Include this file instead of
# voxbus.conf. nats-server reads the passwords from the environment. \`npm run docs\` writes this file.

no_fast_producer_stall: true
write_deadline: "2s"

accounts {
  voxbus {
    jetstream: enabled
    msg_trace { dest: "${brokerTraceSubject}" }
    users: [
${users.join("\n")}
    ]
  }
}
`;
}

function writeUser(grant: Grant, prefix: string, permissions: Permissions): string {
  const { publish, publishDenied, subscribe, answersWithin } = permissions;
  const list = (subjects: readonly string[]) => subjects.map((subject) => `              "${subject}"`).join("\n");
  const lists = [
    `          publish {\n            allow: [\n${list(publish)}\n            ]`,
    ...(publishDenied.length > 0 ? [`            deny: [\n${list(publishDenied)}\n            ]`] : []),
    `          }`,
    `          subscribe {\n            allow: [\n${list(subscribe)}\n            ]\n          }`,
    ...(answersWithin ? [`          allow_responses: { max: 1, expires: "${answersWithin}" }`] : []),
  ];
  return `      {
        user: ${nameUser(grant.user, prefix)}
        password: $${passwordVariable(grant, prefix)}
        permissions {
${lists.join("\n")}
        }
      }`;
}
