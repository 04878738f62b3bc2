import type { Alert, BadMessage, SessionState } from "@voxbus/protocol";
import type { Bottleneck, Capacity, ProgramPool, Score } from "../measurements/load-view.ts";
import type { LastTurn, Latencies, TurnView } from "../turns/turn-view.ts";

export type { Bottleneck, Capacity, CapacityLimit, ProgramPool, Score } from "../measurements/load-view.ts";
export type { TurnView } from "../turns/turn-view.ts";

/**
 * The contract between the monitor and its page: the events of `GET /api/events`, by name. Without a query the stream
 * covers the whole fleet (`hello`, `devices`, `history`, `numbers`). With `?device=ID` it covers one device (`hello`,
 * `device`, `turn`, `activity`). Times are ms since the epoch, durations ms. Transcripts are included only with
 * VOXBUS_MONITOR_TRANSCRIPTS.
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
  /** True if `heard` and `said` of turns are filled. */
  readonly transcripts: boolean;
  /** Address of a trace with `{trace}` in place of its id; absent if traces are not kept anywhere. */
  readonly traces?: string | undefined;
  /** The gateways that take devices. */
  readonly gateways: readonly GatewayAddress[];
  /** The engine that answers, as far as the monitor knows. `embedded` knows a short list of phrases only. */
  readonly assistant: string;
  /** The value from which on each alert is raised, by its name. */
  readonly thresholds: Readonly<Record<string, number>>;
}

/** The address at which a page that is a device finds a gateway. */
export interface GatewayAddress {
  readonly gateway: string;
  /** http or https. A loopback or wildcard host stands for the monitor's own host. */
  readonly address: string;
  /** The device WebSocket, if the operator configured it (VOXBUS_PUBLIC_URL). */
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
  /** Average round trip of the gateway's pings [ms], if known. */
  readonly rtt?: number | undefined;
  /** The turn that ended last. */
  readonly last?: LastTurn | undefined;
}

/** Devices that came or changed, and ids of those that went. `reset` begins a snapshot, which may take several events. */
export interface DevicesChange {
  readonly reset?: boolean;
  readonly put: readonly DeviceView[];
  readonly gone: readonly string[];
}

/** The present state of a stream's device; without `device` it is offline. */
export interface DeviceChange {
  readonly id: string;
  readonly device?: DeviceView | undefined;
}

/** An event of a device other than its turns: a control frame by its type, or a change of state. */
export interface Activity {
  readonly at: number;
  readonly kind: string;
  readonly detail: string;
}

/** A running process, by `name` (gateway, asr, …) and `id`. Unknown numbers are absent. */
export interface ProgramNumbers {
  readonly name: string;
  readonly id: string;
  readonly health: "ok" | "draining" | "lost";
  readonly since?: number | undefined;
  /** Bytes. */
  readonly memory?: number | undefined;
  /** Percent of the cores that it can use. */
  readonly cpu?: number | undefined;
  /** p99 of the event loop's delay, ms. */
  readonly loop?: number | undefined;
  readonly connections?: number | undefined;
  readonly speaking?: number | undefined;
  /** Its reaction to a high load: it takes no new work, or refuses new connections. */
  readonly reaction?: { readonly kind: "paused" | "refusing"; readonly cause: "memory" | "loop-delay" } | undefined;
}

/** A queue, and the number of messages that wait in it. Its name is that of a consumer, or the id of the process it is in. */
export interface QueueNumbers {
  readonly name: string;
  /** The program of the process; absent for a consumer. */
  readonly program?: string | undefined;
  readonly depth: number;
}

/** A kind of message that a process has dropped in the last 10 minutes, and that process's name and id. */
export interface BadMessageView extends BadMessage {
  readonly program: string;
  readonly id: string;
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
  /** The processes of a pool are left out. */
  readonly pools: readonly Omit<ProgramPool, "processes">[];
  /** Absent while no process is known. */
  readonly bottleneck?: Bottleneck | undefined;
  /** Absent without a turn in the last 5 minutes. */
  readonly score?: Score | undefined;
  readonly capacity: Capacity;
  readonly alerts: readonly AlertView[];
  /** The newest first, 100 at most. */
  readonly badMessages: readonly BadMessageView[];
}

/** The part of `Numbers` that the charts keep. */
export type Point = Pick<Numbers, "at" | "online" | "rates" | "latencies">;

/** A device's profile with the revision that a change must name. */
export interface ProfileView {
  /** 0: the device has no profile of its own. */
  readonly revision: number;
  /** The device's own fields. */
  readonly own: Readonly<Record<string, unknown>>;
  /** The profile that applies: the device's own fields over the fleet's over the defaults. */
  readonly profile: Readonly<Record<string, unknown>>;
}
