import { DroppedError } from "@voxbus/bus";

/** Limits of a subscription's handler. They only matter while it returns promises. */
export interface HandlerLimits {
  /**
   * `device` (the default): the messages of a device are handled one after the other, in order of arrival. `none`: they are
   * handled at once, and may overtake each other.
   */
  readonly order?: "device" | "none";
  /** The most messages that are handled at once, of all devices; default 64. */
  readonly concurrency?: number;
  /** The most messages of one device that wait for the handler; default 256. With `order: "none"`: of all devices. */
  readonly waiting?: number;
  /** The longest time for one message in ms; default 60,000. Then its signal aborts, and the next message is handled. */
  readonly timeoutMs?: number;
}

/** The sender of a message. */
interface Sender {
  readonly device: string;
  /** Called when the time of the message is up. */
  expire(reason: Error): void;
}

/** The most messages that wait in one subscription. */
const mostWaiting = 8192;
/** The longest time for one message, ms. */
export const longestMs = 86_400_000;

/** Checks the limits of a handler. Throws RangeError that names the limit. */
export function checkLimits({ order, concurrency = 1, waiting = 0, timeoutMs = 1 }: HandlerLimits): void {
  if (order !== undefined && order !== "device" && order !== "none")
    throw new RangeError('order: expected "device" or "none"');
  checkInteger("concurrency", concurrency, [1, 4096]);
  checkInteger("waiting", waiting, [0, mostWaiting]);
  checkInteger("timeoutMs", timeoutMs, [1, longestMs]);
}

/** Checks a limit. Throws RangeError that names it. */
export function checkInteger(name: string, value: number, [least, most]: readonly [number, number]): void {
  if (!Number.isInteger(value) || value < least || value > most)
    throw new RangeError(`${name}: expected an integer from ${least} to ${most}, got ${value}`);
}

/**
 * Creates the queue of a subscription. A message that need not wait is handled at once, and costs next to nothing while the handler
 * is not async. Its result is that of the handler. It throws, or rejects with, what the handler does, and DroppedError: `queue-full`
 * for a message that finds the queue full, `handler-timeout` for one whose time is up.
 */
export function createHandlerQueue<T, F extends Sender>(
  handle: (message: T, from: F) => unknown,
  limits: HandlerLimits,
): (message: T, from: F) => unknown {
  checkLimits(limits);
  const { order = "device", concurrency = 64, waiting = 256, timeoutMs = 60_000 } = limits;
  /** Devices one of whose messages is being handled. */
  const busy = new Set<string>();
  const queues = new Map<string, (() => void)[]>();
  /** Devices with a message that only waits for a free place. */
  const ready: string[] = [];
  let running = 0;
  let queued = 0;

  const laneOf = ({ device }: F) => (order === "device" ? device : "");
  const start = (message: T, from: F): unknown => {
    const result = handle(message, from);
    if (!(result instanceof Promise)) return result;
    const lane = laneOf(from);
    running += 1;
    if (order === "device") busy.add(lane);
    return withTimeout(result, { timeoutMs, from }).finally(() => {
      running -= 1;
      busy.delete(lane);
      if (queues.has(lane) && order === "device") ready.push(lane);
      pump();
    });
  };
  const pump = (): void => {
    for (;;) {
      const lane = running < concurrency ? ready.shift() : undefined;
      const next = lane === undefined ? undefined : queues.get(lane);
      if (lane === undefined || next === undefined) return;
      queued -= 1;
      next.shift()!();
      if (next.length === 0) queues.delete(lane);
      else if (!busy.has(lane)) ready.push(lane);
    }
  };
  return (message, from) => {
    const lane = laneOf(from);
    const queue = queues.get(lane);
    const isFree = running < concurrency && queue === undefined && !busy.has(lane);
    if (isFree) return start(message, from);
    if (queued >= mostWaiting) throw new DroppedError("queue-full", `at most ${mostWaiting} messages that wait`);
    if ((queue?.length ?? 0) >= waiting)
      throw new DroppedError(
        "queue-full",
        `at most ${waiting} messages that wait${order === "device" ? " of one device" : ""}`,
      );
    queued += 1;
    return new Promise((resolve) => {
      const begin = () => resolve(runAsync(() => start(message, from)));
      if (queue !== undefined) queue.push(begin);
      else {
        queues.set(lane, [begin]);
        if (!busy.has(lane)) ready.push(lane);
      }
    });
  };
}

/** Turns an error that is thrown into a rejection. */
function runAsync(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return Promise.reject(error);
  }
}

/** Waits for the work on a message. When its time is up, aborts its signal and throws DroppedError. */
export async function withTimeout<T>(
  work: Promise<T> | T,
  { timeoutMs, from }: { readonly timeoutMs: number; readonly from: Sender },
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const reason = new DroppedError("handler-timeout", `at most ${timeoutMs} ms`);
      from.expire(reason);
      reject(reason);
    }, timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
