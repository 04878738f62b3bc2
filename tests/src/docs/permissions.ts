import { bucketNames, channels, storedPattern, type BucketName, type StreamName } from "@voxbus/protocol";

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
    subscribes: ["inbound"],
    claims: ["DEVICE_IN"],
    reads: ["DEVICE_IN", "TURNS", "naks"],
    watches: ["profiles"],
    writes: ["naks", "probes"],
  },
  {
    user: "dialogue",
    publishes: ["sayOpen", "say", "out"],
    subscribes: ["inControl", "event"],
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

/** The subject of nats-server's reports on traced messages. */
const brokerTraces = "voxbus.trace";

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
export function passwordVariable({ user }: Pick<Grant, "user">): string {
  return `VOXBUS_NATS_${user.toUpperCase()}_PASSWORD`;
}

/** Names the stream behind a stream or a bucket. */
export function streamOf(name: string): string {
  return (bucketNames as readonly string[]).includes(name) ? `KV_${name}` : name;
}

/** Makes the subjects of a grant. `streams`: the streams and buckets that the program declares. */
export function permissionsOf(grant: Grant, streams: readonly string[]): Permissions {
  const { user, publishes, subscribes, follows = [] } = grant;
  const isListener = user === listenerUser;
  const subjects = (names: readonly ChannelName[]) => names.map((name) => channels[name]().subject);
  const again = subjects(follows).map((subject) => storedPattern.replace("<subject>", subject));
  return {
    publish: [
      ...subjects(publishes),
      channels.stats(isListener ? "*" : user).subject,
      // nats-server reports on a traced message in the name of its publisher.
      ...(isListener ? [] : [brokerTraces]),
      ...listBucketSubjects(grant),
      ...listJetStream(grant, streams),
    ],
    publishDenied: isListener
      ? grants.filter((one) => one !== grant).map((one) => channels.stats(one.user).subject)
      : [],
    subscribe: [
      ...subjects(subscribes),
      ...again,
      ...(grant.keepsStreams ? [brokerTraces] : []),
      ...(isListener ? [] : [`_INBOX.${user}.>`]),
    ],
    answers: subscribes.some((name) => channels[name].delivery === "request"),
  };
}

function listBucketSubjects({ writes = [] }: Grant): readonly string[] {
  return writes.map((bucket) => `$KV.${bucket}.>`);
}

function listJetStream(grant: Grant, streams: readonly string[]): readonly string[] {
  const { user, claims = [], reads = [], watches = [], keepsStreams } = grant;
  const api = (call: string) => `$JS.API.${call}`;
  return [
    ...streams
      .map(streamOf)
      .flatMap((stream) => [
        api(`STREAM.INFO.${stream}`),
        api(`STREAM.CREATE.${stream}`),
        ...(keepsStreams ? [api(`STREAM.UPDATE.${stream}`)] : []),
      ]),
    ...(keepsStreams
      ? streams.filter((name) => streamOf(name) === name).map((name) => api(`CONSUMER.LIST.${name}`))
      : []),
    ...reads.flatMap((name) => [
      api(`STREAM.MSG.GET.${streamOf(name)}`),
      ...(streamOf(name) === name ? [api(`DIRECT.GET.${name}`)] : []),
    ]),
    ...watches.flatMap((bucket) => [
      api(`CONSUMER.CREATE.KV_${bucket}.*.$KV.${bucket}.>`),
      api(`CONSUMER.DELETE.KV_${bucket}.*`),
    ]),
    ...claims.flatMap((stream) => [
      api(`CONSUMER.DURABLE.CREATE.${stream}.${user}`),
      api(`CONSUMER.MSG.NEXT.${stream}.${user}`),
      `$JS.ACK.${stream}.${user}.>`,
      `$JS.ACK.*.*.${stream}.${user}.>`,
    ]),
  ];
}

/** Writes deploy/nats/accounts.conf. `streamsOf` gives what a program declares. */
export function writeAccounts(streamsOf: (user: string) => readonly string[]): string {
  return `# One user for each program, with the permissions that it needs (docs/bus.md, permissions). Include this file instead of
# voxbus.conf. nats-server reads the passwords from the environment. \`npm run docs\` writes this file.

no_fast_producer_stall: true
write_deadline: "2s"

accounts {
  voxbus {
    jetstream: enabled
    msg_trace { dest: "${brokerTraces}" }
    users: [
${grants.map((grant) => writeUser(grant, permissionsOf(grant, streamsOf(grant.user)))).join("\n")}
    ]
  }
}
`;
}

function writeUser(grant: Grant, { publish, publishDenied, subscribe, answers }: Permissions): string {
  const list = (subjects: readonly string[]) => subjects.map((subject) => `              "${subject}"`).join("\n");
  const lists = [
    `          publish {\n            allow: [\n${list(publish)}\n            ]`,
    ...(publishDenied.length > 0 ? [`            deny: [\n${list(publishDenied)}\n            ]`] : []),
    `          }`,
    `          subscribe {\n            allow: [\n${list(subscribe)}\n            ]\n          }`,
    ...(answers ? [`          allow_responses: { max: 1, expires: "5s" }`] : []),
  ];
  return `      {
        user: ${grant.user}
        password: $${passwordVariable(grant)}
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
    const own = user === listenerUser ? ["stats.<program>"] : [`stats.${user}`, brokerTraces];
    const stored = patterns(follows).map((pattern) => storedPattern.replace("<subject>", pattern));
    return [
      `\`${user}\``,
      code([...patterns(publishes), ...own]),
      code([...patterns(subscribes), ...stored, ...(keepsStreams ? [brokerTraces] : [])]),
      code(claims),
      code(reads),
      code(watches),
      code(writes),
    ];
  });
  const header = ["user", "publishes on", "subscribes to", "claims from", "reads", "watches", "writes"];
  return [header, header.map(() => "-"), ...rows];
}
