import type { Bus, BusLog, Closer } from "@voxbus/bus";
import type { Presence, Profile } from "@voxbus/protocol";
import type { Fences } from "@voxbus/subscriber";
import type { DeviceTools } from "./device-tools.ts";
import type { LlmEngine } from "./engines/engine.ts";
import type { History } from "./history.ts";
import type { LateResults } from "./late-results.ts";
import type { TurnMetrics } from "./metrics.ts";
import type { BusTools } from "./tools/bus-tools.ts";
import type { TurnAdmission } from "./turn-admission.ts";
import type { TurnId } from "./turn-input.ts";

/** The devices that turns come from. */
export interface Devices {
  profileOf(device: string): Profile;
  /** Resolves with the presence of the turn's session once it is online; undefined if it does not come online soon. */
  presenceOf(turn: TurnId, signal: AbortSignal): Promise<Presence | undefined>;
  /** Calls `gone` once the turn's session is no longer the device's, or the lease of its gateway is gone. */
  follow(turn: TurnId, gone: () => void): Closer;
  readonly tools: DeviceTools;
  /** The tools that programs offer to the devices. */
  readonly busTools: BusTools;
}

/** The limits and options of turns. */
export interface TurnSettings {
  /** ms that a whole answer may take. */
  readonly answerMs: number;
  /** ms until a turn without an answer says so; 0: never. */
  readonly momentMs: number;
  /** ms of a tool call until a turn says so; 0: never. */
  readonly toolMomentMs: number;
  /** ms from a turn to its first sound, after which the turn is late. */
  readonly deadlineMs: number;
  /** True if traces may contain the text of turns and answers. */
  readonly traceContent: boolean;
}

/** Events of a turn while it is answered. */
export interface TurnEvents {
  /** Its answer starts. */
  onStart(): void;
  /** It waits for its place, or no longer. */
  onWait(isWaiting: boolean): void;
}

/** Decides whether a turn goes on: its place, and the fence of its session. */
export interface TurnGates {
  readonly fences: Fences;
  readonly admission: Pick<TurnAdmission, "enter">;
}

/** Dependencies of answering turns. */
export interface TurnDeps extends TurnGates {
  readonly bus: Bus;
  readonly log: BusLog;
  readonly metrics: TurnMetrics;
  readonly settings: TurnSettings;
  readonly devices: Devices;
  readonly history: History;
  readonly late: Pick<LateResults, "follow">;
  /** Gives the engines to ask for a profile, at least one, in order. */
  readonly enginesOf: (profile: Profile) => readonly LlmEngine[];
}
