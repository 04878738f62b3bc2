import {
  dropReasons,
  turnOutcomes,
  type CloseName,
  type DropReason,
  type Kind,
  type TurnOutcome,
} from "@voxbus/protocol";

/** `session_error`: an exception ended a session. `memory_error`: the process was over its memory threshold at a check. */
export type ErrorClass = "session_error" | "memory_error";

/** Counts of one gateway process, as plain numbers. `/ws/stats` and `/metrics` read them. */
export interface Counters {
  readonly received: Record<Kind, number>;
  readonly sent: Record<Kind, number>;
  /** Bytes of payload. Everything but audio counts as text. */
  readonly receivedBytes: Record<"text" | "audio", number>;
  readonly sentBytes: Record<"text" | "audio", number>;
  /** Sent audio frames by lateness, cumulated: those at most `latenessMs[i]` ms late, and at the end all of them. */
  readonly lateness: number[];
  /** Connections accepted since the start. */
  connects: number;
  /** Audio channels through which no sound came, though it was awaited. */
  missingAudio: number;
  readonly drops: Record<DropReason, number>;
  readonly closes: Map<CloseName | "gone", number>;
  /** Errors of the gateway itself by class. */
  readonly errors: Record<ErrorClass, number>;
  /** Refused upgrades and requests by name. */
  readonly refusals: Map<string, number>;
  /** Turns and announcements that ended. */
  readonly turns: Record<TurnOutcome, number>;
  /** Devices told that a turn waits, or that it was shed. */
  readonly notices: Record<"wait" | "busy", number>;
}

/** Bounds of play-out's lateness, ms. */
export const latenessMs: readonly number[] = [1, 2, 5, 10, 20, 40, 60, 100, 250];

/** Creates counters at 0. */
export function createCounters(): Counters {
  return {
    received: { text: 0, audio: 0, control: 0 },
    sent: { text: 0, audio: 0, control: 0 },
    receivedBytes: { text: 0, audio: 0 },
    sentBytes: { text: 0, audio: 0 },
    lateness: [...latenessMs, Infinity].map(() => 0),
    connects: 0,
    missingAudio: 0,
    drops: countFrom0(dropReasons),
    closes: new Map(),
    errors: { session_error: 0, memory_error: 0 },
    refusals: new Map(),
    turns: countFrom0(turnOutcomes),
    notices: { wait: 0, busy: 0 },
  };
}

function countFrom0<K extends string>(table: Readonly<Record<K, unknown>>): Record<K, number> {
  return Object.fromEntries(Object.keys(table).map((name) => [name, 0])) as Record<K, number>;
}

/** Adds one to a counter in a map. */
export function count<K>(map: Map<K, number>, key: K): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

/** Counts one frame of play-out that was `late` ms late. Plain additions: a busy gateway sends 50,000 frames per second. */
export function countLateness({ lateness }: Counters, late: number): void {
  for (let i = latenessMs.length; i >= 0; i -= 1) {
    if (late > (latenessMs[i] ?? Infinity)) return;
    lateness[i]! += 1;
  }
}
