import type { Bus } from "@voxbus/bus";
import type { Registry } from "@voxbus/presence";
import type { Profile } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import type { Limits } from "../limits.ts";
import type { MemoryBudget } from "../memory-budget.ts";
import type { Counters } from "../observe/counters.ts";
import type { TurnMeter } from "../observe/turn-times.ts";
import type { TimingWheel } from "../playout/clock.ts";
import type { PhraseSounds } from "../playout/phrases.ts";
import type { TurnBudget } from "./turn-budget.ts";

/** Dependencies that all sessions of a gateway share. */
export interface SessionDeps {
  readonly gateway: string;
  readonly bus: Bus;
  readonly registry: Registry;
  readonly wheel: TimingWheel;
  readonly budgets: { readonly memory: MemoryBudget; readonly turns: TurnBudget };
  readonly limits: Limits;
  readonly observe: { readonly counters: Counters; readonly turnMeter: TurnMeter; readonly log: Log };
  readonly settings: DeviceSettings;
}

/** Settings of devices. */
export interface DeviceSettings {
  profile(device: string): Profile;
  readonly phrase: PhraseSounds;
  /** True while there is room for one more conversation of a device that was idle. */
  mayTalk(): boolean;
  /**
   * Keeps a sound for an idle device to fetch, and gives its URL. `local` is the gateway's address as the device reached it.
   * Undefined without room for it.
   */
  keepSound(packets: readonly Uint8Array[], local: string): string | undefined;
}
