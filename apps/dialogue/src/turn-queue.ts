import { SupersededError } from "./turn.ts";

type Waiting = { readonly session: string; readonly origin: number; readonly abort: AbortController; started: boolean };

/** Takes a device's turns one after the other. */
export interface Order {
  /**
   * Runs `work` after the device's earlier turns. A turn whose answer has not started when a newer one of its session
   * comes is aborted with SupersededError: the newer one answers both. `work` says when its answer starts.
   */
  run<T>(
    turn: { readonly device: string; readonly session: string; readonly origin: number },
    work: (onStart: () => void, signal: AbortSignal) => Promise<T>,
  ): Promise<T>;
}

/** Creates an order without turns; devices with no turn take no memory. */
export function createOrder(): Order {
  const queues = new Map<string, { readonly turns: Set<Waiting>; tail: Promise<unknown> }>();
  return {
    async run({ device, session, origin }, work) {
      const queue = queues.get(device) ?? { turns: new Set(), tail: Promise.resolve() };
      queues.set(device, queue);
      const mine: Waiting = { session, origin, abort: new AbortController(), started: false };
      for (const turn of queue.turns) {
        if (turn.session !== session) continue;
        const [older, newer] = turn.origin < origin ? [turn, origin] : [mine, turn.origin];
        if (!older.started) older.abort.abort(new SupersededError(`the turn ${session}:${newer} answers this one too`));
      }
      queue.turns.add(mine);
      const start = () => {
        mine.started = true;
      };
      const result = queue.tail.then(() => work(start, mine.abort.signal));
      queue.tail = Promise.allSettled([result]);
      try {
        return await result;
      } finally {
        queue.turns.delete(mine);
        if (queue.turns.size === 0) queues.delete(device);
      }
    },
  };
}
