import type { Bus } from "@voxbus/bus";
import type { Profile, TurnPlayed } from "@voxbus/protocol";
import type { Clock } from "../playout/clock.ts";
import type { Counters } from "../observe/counters.ts";
import type { LifeTimes } from "./heartbeat.ts";
import type { LifeState } from "./state.ts";
import type { Held, SessionLimits } from "../limits.ts";
import type { TurnMeter } from "../observe/turn-times.ts";

/** What a session needs of its gateway. */
export interface SessionContext<S> {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly turnMeter: TurnMeter;
  readonly gateway: string;
  readonly held: Held;
  readonly limits: SessionLimits;
  readonly times: LifeTimes;
  readonly profile: (device: string) => Profile;
  readonly apology: (language: string) => readonly Uint8Array[] | undefined;
  /** The hello was answered. */
  readonly opened: (session: S) => void;
  /** The socket is gone, or is being closed: called once. */
  readonly closed: (session: S, reason: string, code: number) => void;
  readonly turnEnded: (session: S, turn: TurnPlayed) => void;
  /** The life of an open session has come to another state. */
  readonly changed: (session: S, state: LifeState) => void;
}
