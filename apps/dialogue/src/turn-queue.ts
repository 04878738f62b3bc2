import PQueue from "p-queue";
import type { TurnId } from "./turn-input.ts";

/** The reason for aborting a turn that a newer one of its session answers too. */
export class SupersededError extends Error {
  override readonly name = "SupersededError";
}

/** Runs the turns of a device one after the other. */
export interface TurnQueue {
  /**
   * Runs `work` after the device's earlier turns. `work` calls `onStart` when its answer starts. A turn whose answer has
   * not started when a newer one of its session arrives is aborted with SupersededError: the newer one answers both.
   */
  run<T>(turn: TurnId, work: (onStart: () => void, signal: AbortSignal) => Promise<T>): Promise<T>;
}

interface QueuedTurn {
  readonly session: string;
  readonly origin: number;
  readonly abort: AbortController;
  started: boolean;
}

/** Creates an empty queue. Devices without a turn use no memory. */
export function createTurnQueue(): TurnQueue {
  const devices = new Map<string, { readonly turns: Set<QueuedTurn>; readonly queue: PQueue }>();
  return {
    async run({ device, session, origin }, work) {
      const { turns, queue } = devices.get(device) ?? { turns: new Set(), queue: new PQueue({ concurrency: 1 }) };
      devices.set(device, { turns, queue });
      const mine: QueuedTurn = { session, origin, abort: new AbortController(), started: false };
      for (const turn of turns) if (turn.session === session) supersedeOlder(mine, turn);
      turns.add(mine);
      const start = () => {
        mine.started = true;
      };
      try {
        return await queue.add(() => work(start, mine.abort.signal));
      } finally {
        turns.delete(mine);
        if (turns.size === 0) devices.delete(device);
      }
    },
  };
}

/** Aborts the older one of two turns of a session, unless its answer has started. */
function supersedeOlder(one: QueuedTurn, other: QueuedTurn): void {
  const [older, newer] = one.origin <= other.origin ? [one, other] : [other, one];
  if (older.started) return;
  older.abort.abort(new SupersededError(`the turn ${newer.session}:${newer.origin} answers this one too`));
}
