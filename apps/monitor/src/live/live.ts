import type { Alert, ApiScope, AudioState, BadMessage, FirmwareUpdate, SessionState } from "@voxbus/protocol";
import type { Bottleneck, Capacity, ProgramPool, Score } from "../measurements/load-view.ts";
import type { ChannelView, ServiceView } from "../measurements/service-view.ts";
import type { ShadowView } from "../shadows/shadow-view.ts";
import type { LastTurn, Latencies, TurnView } from "../turns/turn-view.ts";

export type { Bottleneck, Capacity, CapacityLimit, ProgramPool, Score } from "../measurements/load-view.ts";
export type { ChannelView, ServiceView } from "../measurements/service-view.ts";
export type { ShadowView } from "../shadows/shadow-view.ts";
export type { TurnView } from "../turns/turn-view.ts";

/**
 * The contract between the monitor and its page: the events of `GET /api/events`, by name. Without a query the stream
 * covers the whole fleet (`hello`, `devices`, `known`, `waiting`, `history`, `numbers`). With `?device=ID` it covers one device (`hello`,
 * `device`, `turn`, `activity`). Times are ms since the epoch, durations ms. Transcripts are included only with
 * VOXBUS_MONITOR_TRANSCRIPTS.
 */
export interface LiveEvents {
  readonly hello: Hello;
  readonly devices: DevicesChange;
  readonly known: KnownChange;
  readonly waiting: readonly WaitingView[];
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
  /** The token of the stream's reader, which the API adds. Without a name the API is open to all. */
  readonly token?: { readonly name?: string; readonly scope: ApiScope };
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
  /** Closed while a device that is reached while it is idle has no conversation. */
  readonly audio?: AudioState | undefined;
  readonly remote: string;
  /** True if it said in its hello that it has tools. */
  readonly tools?: boolean;
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

/** A device that is registered or was seen: what does not change with each turn. */
export interface KnownView {
  readonly id: string;
  /** True if an operator has decided about it. */
  readonly registered: boolean;
  readonly name?: string | undefined;
  readonly group?: string | undefined;
  /** The further groups. */
  readonly groups?: readonly string[] | undefined;
  /** True: let in; false: disabled; absent: the variables of the gateways decide. */
  readonly allowed?: boolean | undefined;
  readonly note?: string | undefined;
  readonly firstSeen?: number | undefined;
  readonly lastSeen?: number | undefined;
  /** Why the last session ended. */
  readonly lastReason?: string | undefined;
  readonly firmware?: string | undefined;
  readonly board?: string | undefined;
  /** Its last firmware update. */
  readonly update?: FirmwareUpdate | undefined;
}

/** A device that waits for an operator to type its code. */
export interface WaitingView {
  readonly id: string;
  /** The time at which it got the code. */
  readonly at: number;
  readonly remote: string;
  readonly board?: string | undefined;
  readonly firmware?: string | undefined;
}

/** The same as `DevicesChange`, of every known device. */
export interface KnownChange {
  readonly reset?: boolean;
  readonly put: readonly KnownView[];
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

/** A kind of message that a process has dropped in the last 10 minutes, and that process's name and id. The id is empty if only an `error` tells of it. */
export interface BadMessageView extends BadMessage {
  readonly program: string;
  readonly id: string;
}

/** An alert as the page lists it. */
export type AlertView = Omit<Alert, "v"> & { readonly runbook: string };

/** The state of the system, every few seconds. Rates are per minute over the last minute. */
export interface Numbers {
  readonly at: number;
  readonly bus: { readonly connected: boolean; readonly rtt: number };
  readonly online: number;
  readonly states: Readonly<Record<string, number>>;
  readonly rates: { readonly heard: number; readonly played: number; readonly failed: number };
  readonly latencies: Latencies;
  readonly programs: readonly ProgramNumbers[];
  /** The programs as they describe themselves, 200 at most, and who listens to whom. */
  readonly services: readonly ServiceView[];
  readonly channels: readonly ChannelView[];
  readonly queues: readonly QueueNumbers[];
  readonly shadows: readonly ShadowView[];
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

/** The profile of a level with the revision that a change must name. */
export interface ProfileView {
  /** 0: the level is not stored. */
  readonly revision: number;
  /** The fields that the level sets. */
  readonly own: Readonly<Record<string, unknown>>;
  /** The names of stored fields that are not valid, `*` for all of them. */
  readonly invalid: readonly string[];
  /** The profile that applies without the level's own fields, and where each field comes from. */
  readonly inherited: {
    readonly profile: Readonly<Record<string, unknown>>;
    readonly sources: Readonly<Record<string, string>>;
  };
}

/** Sends one event of a stream. */
export type SendEvent = <N extends keyof LiveEvents>(name: N, data: LiveEvents[N]) => void;
