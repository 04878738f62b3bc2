import { dropReasons, type CloseName, type DropReason, type Kind } from "@voxbus/protocol";

/** What one gateway process counts; plain numbers, read by `/ws/stats` and `/metrics`. */
export interface Counters {
  readonly received: Record<Kind, number>;
  readonly sent: Record<Kind, number>;
  readonly drops: Record<DropReason, number>;
  readonly closes: Map<CloseName | "gone", number>;
  /** Refused upgrades and requests by name. */
  readonly refusals: Map<string, number>;
  turnsComplete: number;
  turnsFailed: number;
}

/** Counters that all stand at 0. */
export function createCounters(): Counters {
  return {
    received: { text: 0, audio: 0, control: 0 },
    sent: { text: 0, audio: 0, control: 0 },
    drops: Object.fromEntries(Object.keys(dropReasons).map((reason) => [reason, 0])) as Record<DropReason, number>,
    closes: new Map(),
    refusals: new Map(),
    turnsComplete: 0,
    turnsFailed: 0,
  };
}

/** Adds one to a counter in a map. */
export function count<K>(map: Map<K, number>, key: K): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}
