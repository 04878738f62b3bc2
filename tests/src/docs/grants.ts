import {
  bucketNames,
  shadowPattern,
  streamNames,
  type BucketName,
  type channels,
  type StreamName,
} from "@voxbus/protocol";

/** A name of the table of channels. */
export type ChannelName = keyof typeof channels;

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
  /** Streams and buckets that it looks up, besides those that a program of its name declares. */
  readonly looksUp?: readonly (StreamName | BucketName)[];
  /** Streams and buckets whose messages it reads one by one. */
  readonly reads?: readonly (StreamName | BucketName)[];
  /** Buckets that it watches. */
  readonly watches?: readonly BucketName[];
  /** Buckets that it writes to. */
  readonly writes?: readonly BucketName[];
  /** True if it asks for the services of NATS's services API. */
  readonly discovers?: boolean;
  /** Set if it publishes what shadows publish, or subscribes to it. */
  readonly shadows?: "publishes" | "subscribes";
  /** True if it copies, removes and restores all streams and buckets. */
  readonly backsUp?: boolean;
  /** True if it brings streams and buckets up to date, reads the lag of their consumers, and removes messages of devices. */
  readonly keepsStreams?: boolean;
}

/** The user of a program that only listens. It has no program of ours. */
export const listenerUser = "listener";

/** The user of a person at the command line (docs/cli.md). */
export const cliUser = "cli";

/** The user of shadows. They have the names of the programs beside which they run. */
export const shadowUser = "shadow";
export const shadowSubjects = shadowPattern.replace("<name>.<subject>", ">");

/** The users of deploy/nats/accounts.conf. Those besides the listener have the name of their program. */
export const grants: readonly Grant[] = [
  {
    user: "gateway",
    publishes: ["inText", "inAudio", "inControl", "inControlOpen", "event", "sayOpen", "command", "sound"],
    subscribes: ["out", "fleetOut", "groupOut", "command", "replay", "sound"],
    reads: ["gateways", "presence", "devices", "registry", "activations"],
    watches: ["gateways", "presence", "profiles", "registry", "activations"],
    writes: ["gateways", "presence", "devices", "registry", "activations", "probes"],
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
    publishes: ["sayOpen", "say", "out", "tool", "toolCancel"],
    subscribes: ["inControl", "event", "stats", "toolChange"],
    discovers: true,
    claims: ["DEVICE_IN", "TURNS"],
    reads: ["DEVICE_IN", "TURNS", "dialogues", "tools", "tool-calls", "naks"],
    watches: ["gateways", "presence", "profiles"],
    writes: ["dialogues", "tools", "tool-calls", "naks", "probes"],
  },
  {
    user: "tools",
    publishes: ["sayOpen", "out", "toolChange"],
    subscribes: ["inControl", "event", "tool", "toolCancel"],
    reads: ["TURNS", "tools", "reminders", "kept"],
    watches: ["gateways", "presence", "profiles", "reminders", "kept"],
    writes: ["reminders", "kept", "probes"],
  },
  {
    user: "tts",
    publishes: ["out"],
    subscribes: ["inControl", "event"],
    follows: ["say"],
    claims: ["TURNS"],
    reads: ["DEVICE_IN", "TURNS", "kept", "naks"],
    watches: ["gateways", "presence", "profiles"],
    writes: ["kept", "naks", "probes"],
  },
  {
    user: "monitor",
    publishes: ["out", "fleetOut", "groupOut", "sayOpen", "say", "command", "alert"],
    subscribes: ["inText", "inAudio", "inControl", "inControlOpen", "out", "event", "alert", "stats", "error"],
    follows: ["heard", "sayOpen", "say"],
    reads: [
      "presence",
      "profiles",
      "dialogues",
      "tools",
      "tool-calls",
      "reminders",
      "kept",
      "devices",
      "registry",
      "activations",
      "api",
      "monitor",
    ],
    watches: ["gateways", "presence", "profiles", "kept", "devices", "registry", "activations", "api", "monitor"],
    writes: [
      "presence",
      "profiles",
      "dialogues",
      "tools",
      "tool-calls",
      "reminders",
      "kept",
      "devices",
      "registry",
      "activations",
      "api",
      "monitor",
      "probes",
    ],
    shadows: "subscribes",
    discovers: true,
    keepsStreams: true,
  },
  {
    user: "mcp",
    publishes: ["sayOpen", "say", "out", "toolChange"],
    subscribes: ["inControl", "tool", "toolCancel"],
    reads: ["dialogues"],
    watches: ["gateways", "presence", "profiles"],
    writes: ["probes"],
  },
  {
    user: cliUser,
    publishes: ["out", "fleetOut", "groupOut", "sayOpen", "say", "command", "tool"],
    subscribes: [
      "inbound",
      "heardPartial",
      "out",
      "fleetOut",
      "groupOut",
      "event",
      "command",
      "alert",
      "stats",
      "error",
    ],
    follows: ["heard", "sayOpen", "say"],
    looksUp: [...streamNames, ...bucketNames],
    reads: ["profiles", "registry"],
    watches: ["gateways", "presence", "profiles", "devices", "registry"],
    writes: ["profiles", "registry", "probes"],
    shadows: "subscribes",
    backsUp: true,
  },
  {
    // A program with VOXBUS_SHADOW.
    user: shadowUser,
    publishes: ["replay"],
    subscribes: ["inbound", "event", "stats", "toolChange"],
    follows: ["heard", "sayOpen", "say"],
    discovers: true,
    looksUp: ["DEVICE_IN", "TURNS", "dialogues", "tools", "tool-calls", "gateways", "presence", "profiles"],
    reads: ["DEVICE_IN", "TURNS", "dialogues", "tools", "tool-calls"],
    watches: ["gateways", "presence", "profiles"],
    shadows: "publishes",
  },
  {
    user: listenerUser,
    publishes: [],
    subscribes: ["inbound", "heardPartial", "event", "alert", "stats", "error"],
    follows: ["heard", "sayOpen", "say"],
  },
];
