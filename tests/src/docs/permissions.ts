import { brokerTraceSubject, createNames, type Names } from "@voxbus/bus";
import { channels, storedPattern, streamNames, type BucketName, type StreamName } from "@voxbus/protocol";

/** A name of the table of channels. */
type ChannelName = keyof typeof channels;

/** The permissions of one user of NATS, in the words of docs/bus.md. */
export interface Grant {
  readonly user: string;
  /** The channels that it publishes on. */
  readonly publishes: readonly ChannelName[];
  /** The channels that it subscribes to. */
  readonly subscribes: readonly ChannelName[];
  /** The channels of `TURNS` that it follows as they are published again after they were stored. */
  readonly follows?: readonly ChannelName[];
  /** Durable consumers that it creates and pulls from, by stream. */
  readonly claims?: readonly StreamName[];
  /** Streams and buckets whose messages it reads one by one. */
  readonly reads?: readonly (StreamName | BucketName)[];
  /** Buckets that it watches. */
  readonly watches?: readonly BucketName[];
  /** Buckets that it writes to. */
  readonly writes?: readonly BucketName[];
  /** True if it brings streams and buckets up to date, and reads the lag of their consumers. */
  readonly keepsStreams?: boolean;
}

/** The user of a program that only listens. It has no program of ours. */
export const listenerUser = "listener";

/** The users of deploy/nats/accounts.conf. Those besides the listener have the name of their program. */
export const grants: readonly Grant[] = [
  {
    user: "gateway",
    publishes: ["inText", "inAudio", "inControl", "inControlOpen", "event", "sayOpen", "command"],
    subscribes: ["out", "fleetOut", "groupOut", "command", "replay"],
    reads: ["gateways", "presence", "devices"],
    watches: ["presence", "profiles"],
    writes: ["gateways", "presence", "devices", "probes"],
  },
  {
    user: "asr",
    publishes: ["heardPartial", "heard", "out", "replay"],
    subscribes: ["inbound", "event"],
    follows: ["sayOpen", "say"],
    claims: ["DEVICE_IN"],
    reads: ["DEVICE_IN", "TURNS", "naks"],
    watches: ["profiles"],
    writes: ["naks", "probes"],
  },
  {
    user: "dialogue",
    publishes: ["sayOpen", "say", "out"],
    subscribes: ["inControl", "event", "stats"],
    claims: ["DEVICE_IN", "TURNS"],
    reads: ["DEVICE_IN", "TURNS", "dialogues", "tools", "tool-calls", "reminders", "naks"],
    watches: ["gateways", "presence", "profiles"],
    writes: ["dialogues", "tools", "tool-calls", "reminders", "naks", "probes"],
  },
  {
    user: "tts",
    publishes: ["out"],
    subscribes: ["inControl", "event"],
    follows: ["say"],
    claims: ["TURNS"],
    reads: ["DEVICE_IN", "TURNS", "naks"],
    watches: ["gateways", "presence", "profiles"],
    writes: ["naks", "probes"],
  },
  {
    user: "monitor",
    publishes: ["out", "fleetOut", "groupOut", "sayOpen", "say", "command", "alert"],
    subscribes: ["inText", "inAudio", "inControl", "inControlOpen", "out", "event", "stats"],
    follows: ["heard", "sayOpen", "say"],
    reads: ["profiles", "dialogues", "devices", "monitor"],
    watches: ["gateways", "presence", "profiles", "monitor"],
    writes: ["presence", "profiles", "dialogues", "devices", "monitor", "probes"],
    keepsStreams: true,
  },
  {
    user: listenerUser,
    publishes: [],
    subscribes: ["inbound", "heardPartial", "event", "alert", "stats"],
    follows: ["heard", "sayOpen", "say"],
  },
];

/** Subjects as NATS writes them in a user's permissions. */
export interface Permissions {
  readonly publish: readonly string[];
  /** Subjects that `publish` would allow and that are denied. */
  readonly publishDenied: readonly string[];
  readonly subscribe: readonly string[];
  /** True if it may answer the requests that it receives. */
  readonly answers: boolean;
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
  const stats = (program: string) => names.subject(channels.stats(program).subject);
  return {
    publish: [
      ...subjects(publishes),
      stats(isListener ? "*" : user),
      // nats-server reports on a traced message in the name of its publisher.
      ...(isListener ? [] : [brokerTraceSubject]),
      ...(grant.writes ?? []).map((bucket) => names.bucketSubject(bucket, ">")),
      ...listJetStream(grant, streams, names),
    ],
    publishDenied: isListener ? grants.filter((one) => one !== grant).map((one) => stats(one.user)) : [],
    subscribe: [
      ...subjects(subscribes),
      ...again,
      ...(grant.keepsStreams ? [brokerTraceSubject] : []),
      ...(isListener ? [] : [`${names.inboxPrefix(user)}.>`]),
    ],
    answers: subscribes.some((name) => channels[name].delivery === "request"),
  };
}

function listJetStream(grant: Grant, streams: readonly (StreamName | BucketName)[], names: Names): readonly string[] {
  const { user, claims = [], reads = [], watches = [], keepsStreams } = grant;
  const api = (call: string) => `$JS.API.${call}`;
  const isStream = (name: StreamName | BucketName): name is StreamName => streamNames.some((one) => one === name);
  const durable = names.durable(user);
  return [
    ...streams
      .map(names.streamOf)
      .flatMap((stream) => [
        api(`STREAM.INFO.${stream}`),
        api(`STREAM.CREATE.${stream}`),
        ...(keepsStreams ? [api(`STREAM.UPDATE.${stream}`)] : []),
      ]),
    ...(keepsStreams ? streams.filter(isStream).map((name) => api(`CONSUMER.LIST.${names.stream(name)}`)) : []),
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

function writeUser(grant: Grant, prefix: string, { publish, publishDenied, subscribe, answers }: Permissions): string {
  const list = (subjects: readonly string[]) => subjects.map((subject) => `              "${subject}"`).join("\n");
  const lists = [
    `          publish {\n            allow: [\n${list(publish)}\n            ]`,
    ...(publishDenied.length > 0 ? [`            deny: [\n${list(publishDenied)}\n            ]`] : []),
    `          }`,
    `          subscribe {\n            allow: [\n${list(subscribe)}\n            ]\n          }`,
    ...(answers ? [`          allow_responses: { max: 1, expires: "5s" }`] : []),
  ];
  return `      {
        user: ${nameUser(grant.user, prefix)}
        password: $${passwordVariable(grant, prefix)}
        permissions {
${lists.join("\n")}
        }
      }`;
}

/** Makes the rows of the table "permissions" in docs/bus.md, header included. */
export function listGrants(): readonly (readonly string[])[] {
  const code = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(", ") || "-";
  const patterns = (names: readonly ChannelName[]) => names.map((name) => channels[name].pattern);
  const rows = grants.map(({ user, publishes, subscribes, follows = [], ...rest }) => {
    const { claims = [], reads = [], watches = [], writes = [], keepsStreams } = rest;
    const own = user === listenerUser ? ["stats.<program>"] : [`stats.${user}`, brokerTraceSubject];
    const stored = patterns(follows).map((pattern) => storedPattern.replace("<subject>", pattern));
    return [
      `\`${user}\``,
      code([...patterns(publishes), ...own]),
      code([...patterns(subscribes), ...stored, ...(keepsStreams ? [brokerTraceSubject] : [])]),
      code(claims),
      code(reads),
      code(watches),
      code(writes),
    ];
  });
  const header = ["user", "publishes on", "subscribes to", "claims from", "reads", "watches", "writes"];
  return [header, header.map(() => "-"), ...rows];
}
