import type { Alert, SessionState } from "@voxbus/protocol";

/**
 * What the page and the monitor agree on: the events of `GET /api/events`, by name. Without a query the stream tells of
 * the whole fleet (`hello`, `devices`, `history`, `numbers`); with `?device=ID` of one device (`hello`, `device`, `turn`,
 * `activity`). Times are ms since the epoch, durations ms. What people say is in it only where the monitor was told to.
 */
export interface LiveEvents {
  readonly hello: Hello;
  readonly devices: DevicesChange;
  readonly history: readonly Point[];
  readonly numbers: Numbers;
  readonly device: DeviceChange;
  readonly turn: TurnView;
  readonly activity: Activity;
}

/** The first event of a stream: what this monitor shows, and where devices connect. */
export interface Hello {
  /** Whether `heard` and `said` of turns are filled. */
  readonly transcripts: boolean;
  /** Address of a trace with `{trace}` in place of its id; absent: there is nowhere to look. */
  readonly traces?: string | undefined;
  /** Where devices connect, one for each gateway that takes devices. */
  readonly doors: readonly GatewayDoor[];
  /** Who answers, as far as the monitor knows: `embedded` knows a short list of phrases only. */
  readonly assistant: string;
}

/** Where a page that is a device finds one gateway. `address` is http(s); a loopback or wildcard host is the monitor's own. */
export interface GatewayDoor {
  readonly gateway: string;
  readonly address: string;
  /** The device WebSocket outright, where the operator named it. */
  readonly url?: string | undefined;
}

/** A device that is online. */
export interface DeviceView {
  readonly id: string;
  readonly gateway: string;
  readonly session: string;
  readonly since: number;
  readonly state: SessionState;
  readonly remote: string;
  /** Average round trip of the gateway's pings, ms, where it is known. */
  readonly rtt?: number | undefined;
  /** The newest turn that ended. */
  readonly last?: LastTurn | undefined;
}

/** A turn in a row of the table. */
export interface LastTurn {
  readonly at: number;
  /** `played`, or why it was not. */
  readonly outcome: string;
  /** From the final transcript to the answer's first sentence. */
  readonly thought?: number | undefined;
  /** From the final transcript to the first sound on the socket. */
  readonly sound?: number | undefined;
}

/** Devices that came or changed, and ids that went; `reset` begins a snapshot, which may take several events. */
export interface DevicesChange {
  readonly reset?: boolean;
  readonly put: readonly DeviceView[];
  readonly gone: readonly string[];
}

/** The device of a stream as it is now; without `device` it is offline. */
export interface DeviceChange {
  readonly id: string;
  readonly device?: DeviceView | undefined;
}

/** One turn or announcement as far as it has come; a later event of the same `id` replaces it. */
export interface TurnView {
  readonly id: string;
  readonly session: string;
  /** Absent: an announcement. */
  readonly origin?: number | undefined;
  /** When its first and last voiced frame came; known while somebody watches the device. */
  readonly speech?: { readonly from: number; readonly to: number } | undefined;
  /** When the final transcript, or the typed text, was there. */
  readonly heardAt?: number | undefined;
  /** When the first sentence of the answer was there. */
  readonly saidAt?: number | undefined;
  /** When the first packet of its sound reached the bus; known while somebody watches the device. */
  readonly voicedAt?: number | undefined;
  /** When its first sound was written to the socket. */
  readonly soundAt?: number | undefined;
  readonly endedAt?: number | undefined;
  /** `played`, or why it was not; absent while it goes on. */
  readonly outcome?: string | undefined;
  readonly sentences: number;
  readonly fenced: number;
  readonly dropped: number;
  readonly late: number;
  readonly heard?: string | undefined;
  readonly said?: readonly string[] | undefined;
  readonly trace?: string | undefined;
}

/** Something that happened to a device beside its turns: a control frame by its type, or a change of state. */
export interface Activity {
  readonly at: number;
  readonly kind: string;
  readonly detail: string;
}

/** How long something took, over the last five minutes. */
export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly count: number;
}

/** Latencies of turns: from the final transcript to the first sentence, and to the first sound on the socket. */
export interface Latencies {
  readonly thought?: Percentiles | undefined;
  readonly sound?: Percentiles | undefined;
}

/** One program that runs, by `name` (gateway, asr, …) and `id`; what is unknown is absent. */
export interface ProgramNumbers {
  readonly name: string;
  readonly id: string;
  readonly health: "ok" | "draining" | "lost";
  readonly since?: number | undefined;
  /** Bytes. */
  readonly memory?: number | undefined;
  /** Percent of one core. */
  readonly cpu?: number | undefined;
  /** p99 of the event loop's delay, ms. */
  readonly loop?: number | undefined;
  readonly connections?: number | undefined;
  readonly speaking?: number | undefined;
}

/** A queue of the bus or of a program: what waits in it. */
export interface QueueNumbers {
  readonly name: string;
  readonly depth: number;
}

/** An alert as the page lists it. */
export type AlertView = Omit<Alert, "v">;

/** The state of the system, every few seconds. Rates are per minute over the last minute. */
export interface Numbers {
  readonly at: number;
  readonly bus: { readonly connected: boolean; readonly rtt: number };
  readonly online: number;
  readonly states: Readonly<Record<string, number>>;
  readonly rates: { readonly heard: number; readonly played: number; readonly failed: number };
  readonly latencies: Latencies;
  readonly programs: readonly ProgramNumbers[];
  readonly queues: readonly QueueNumbers[];
  readonly alerts: readonly AlertView[];
}

/** What the charts keep of one `Numbers`. */
export type Point = Pick<Numbers, "at" | "online" | "rates" | "latencies">;

/** What the rest of the monitor knows and the page shows; each is asked every few seconds and must answer from memory. */
export interface LiveSources {
  /** Programs beside the gateways, which are known from their leases, or better numbers of these. */
  readonly programs?: () => readonly ProgramNumbers[];
  readonly queues?: () => readonly QueueNumbers[];
  /** Open alerts first, then the newest that were resolved. */
  readonly alerts?: () => readonly AlertView[];
}

/** A device's profile with the revision that a change must name. */
export interface ProfileView {
  /** 0: the device has no profile of its own. */
  readonly revision: number;
  /** The device's own fields. */
  readonly own: Readonly<Record<string, unknown>>;
  /** What applies: its own fields over the fleet's over the defaults. */
  readonly profile: Readonly<Record<string, unknown>>;
}
