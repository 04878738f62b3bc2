import type { Refusal } from "@voxbus/protocol";
import type { Limits } from "../limits.ts";
import { TokenBucket } from "../token-bucket.ts";

/** Decides whether the gateway accepts one more connection: in all, pending, from one address, in one second. */
export interface Capacity {
  /**
   * Gives the reason to refuse a connection of a group (`Client.group`) now, or undefined. `kind`: whether it begins with a
   * conversation.
   */
  refuse(group: string | undefined, kind?: "talking" | "idle"): Refusal | undefined;
  /** Counts a connection of a group. Call the result when the connection is gone. */
  enter(group: string | undefined): () => void;
}

/** The state of the gateway that its capacity depends on. */
export interface CapacityState {
  /** Connections that have a conversation, or are on their way to one. */
  connections(): number;
  /** Connections of devices that are idle. */
  idle(): number;
  /** Connections without a hello yet. */
  pending(): number;
  /** True while NATS answers and stores. */
  connected(): boolean;
  draining(): boolean;
  /** True while the process is over its memory threshold. */
  outOfMemory(): boolean;
  /** True while its event loop is over the threshold of its delay. */
  overloaded(): boolean;
}

/** The share of its connections up to which devices are sent to a gateway. Those that connect anyway find room above it. */
const sentShare = 0.9;

/** Gives the number of connections that OTA may still send to a gateway in this state; 0 while it takes none. */
export function measureRoom(
  { connections: most }: Pick<Limits, "connections">,
  state: Pick<CapacityState, "connections" | "connected" | "outOfMemory" | "overloaded">,
): number {
  if (!state.connected() || state.outOfMemory() || state.overloaded()) return 0;
  return Math.max(0, Math.floor(most * sentShare) - state.connections());
}

/** Creates the capacity of one gateway. Connections without a group count only in all. */
export function createCapacity(
  limits: Pick<Limits, "connections" | "idleConnections" | "pending" | "perAddress" | "connectsPerSecond">,
  state: CapacityState,
): Capacity {
  const groups = new Map<string, number>();
  const connects = new TokenBucket(limits.connectsPerSecond, limits.connectsPerSecond * 2);
  const share = createShare(Math.ceil(limits.connectsPerSecond / 2));
  return {
    refuse(group, kind = "talking") {
      if (state.draining()) return "draining";
      if (!state.connected()) return "bus-away";
      if (state.outOfMemory()) return "out-of-memory";
      if (state.overloaded()) return "overloaded";
      const isFull = {
        talking: () => state.connections() >= limits.connections,
        idle: () => state.idle() >= limits.idleConnections,
      };
      const full =
        isFull[kind]() ||
        state.pending() >= limits.pending ||
        (group !== undefined && (groups.get(group) ?? 0) >= limits.perAddress);
      const now = performance.now();
      if (full || !share.has(group, now) || !connects.take(now)) return "too-many";
      share.take(group);
      return undefined;
    },
    enter(group) {
      if (group === undefined) return () => undefined;
      groups.set(group, (groups.get(group) ?? 0) + 1);
      return () => {
        const left = (groups.get(group) ?? 1) - 1;
        if (left > 0) groups.set(group, left);
        else groups.delete(group);
      };
    },
  };
}

/** Limits the connections of each group in a second to `most`. */
function createShare(most: number) {
  const taken = new Map<string, number>();
  let until = 0;
  return {
    has(group: string | undefined, now: number): boolean {
      if (now >= until) {
        taken.clear();
        until = now + 1000;
      }
      return group === undefined || (taken.get(group) ?? 0) < most;
    },
    take(group: string | undefined): void {
      if (group !== undefined) taken.set(group, (taken.get(group) ?? 0) + 1);
    },
  };
}
