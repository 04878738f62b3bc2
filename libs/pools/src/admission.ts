import type { Priority } from "@voxbus/protocol";
import { usualWaiting, type WaitingLimits } from "./pool.ts";
import { chooseNext, WaitingWork, type AdmissionRequest } from "./waiting-work.ts";

/** The limits of an admission. All times in ms since the turn began. */
export interface AdmissionOptions {
  /** Gives the places that are free while `taken` are taken. It may change at any time: call `update` then. */
  readonly free: (taken: number) => number;
  /** From this age on a turn is late. */
  readonly deadlineMs: number;
  /** The longest wait of what a person waits for. Other work waits six times as long. */
  readonly patienceMs: number;
  /** Work that may wait, by priority; 100 of high, 500 of normal, 1,000 of low. One more sheds the oldest, if that is late. */
  readonly waiting?: WaitingLimits;
  /** Called after work was admitted, came to wait, or left. */
  readonly onChange?: (spare: number, taken: number) => void;
}

/**
 * Admits work to a place whose number depends on measurements.
 * - Work of a higher priority comes first.
 * - A turn that is still in time comes before one that is late. Of those in time the newest comes first: if there is more work than
 *   places for long, some turns are answered at once, and not all of them late.
 * - Of the late ones the oldest comes first.
 */
export interface Admission {
  /**
   * Waits for a place. The result gives it back; a second call does nothing. Rejects with ShedError, or with the signal's reason.
   */
  enter(request: AdmissionRequest, signal?: AbortSignal): Promise<() => void>;
  /** Takes a place at once, even if none is free: the work has begun elsewhere. */
  take(): () => void;
  /** Admits what fits now. */
  update(): void;
  /** The work that waits. */
  waiting(priority?: Priority): number;
  /** The places that are taken. */
  taken(): number;
  /** The work that could be admitted now: free places beyond those that the waiting work needs. */
  spare(): number;
  /** The work that may be claimed now, so that no queue exceeds its bound. Late work gives way. */
  room(): number;
}

const ranks: readonly Priority[] = ["high", "normal", "low"];
/**
 * A program tells that a turn waits at this age, ms. A turn may wait in two programs one after the other, and its user is told within
 * half a second.
 */
const tellMs = 50;
const othersPatience = 6;

/** Creates an admission without work. */
export function createAdmission(options: AdmissionOptions): Admission {
  const { free, deadlineMs, patienceMs, waiting: most = usualWaiting, onChange } = options;
  const queues = new Map<Priority, Set<WaitingWork>>(ranks.map((rank) => [rank, new Set()]));
  let taken = 0;

  function take(): () => void {
    taken += 1;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      taken -= 1;
      assign();
      changed();
    };
  }
  function assign(): void {
    while (free(taken) >= 1) {
      const queue = ranks.map((rank) => queues.get(rank)!).find(({ size }) => size > 0);
      if (queue === undefined) return;
      const next = chooseNext(queue, performance.now() - deadlineMs);
      queue.delete(next);
      next.admit(take());
    }
  }
  const isLate = ({ since }: WaitingWork) => since <= performance.now() - deadlineMs;
  /** The late work of a queue, oldest first. */
  const lateOnes = (queue: ReadonlySet<WaitingWork>) => [...queue].filter(isLate).sort((a, b) => a.since - b.since);
  const roomOf = (rank: Priority) => most[rank] - waiting(rank) + lateOnes(queues.get(rank)!).length;
  const spare = () => Math.max(0, Math.floor(free(taken)) - waiting());
  const changed = () => onChange?.(spare(), taken);
  const waiting = (priority?: Priority) =>
    ranks.reduce((sum, rank) => sum + (priority === undefined || priority === rank ? queues.get(rank)!.size : 0), 0);

  return {
    async enter(request, signal) {
      signal?.throwIfAborted();
      const { priority } = request;
      const queue = queues.get(priority)!;
      const work = new WaitingWork(request, signal, (one) => queue.delete(one));
      queue.add(work);
      assign();
      changed();
      if (queue.size > most[priority]) {
        const [oldest = work] = lateOnes(queue);
        oldest.shed(`${most[priority]} others wait for a place`);
      }
      const longestMs = priority === "high" ? patienceMs : othersPatience * patienceMs;
      if (queue.has(work)) work.wait({ tellMs, patienceMs: longestMs });
      return work.entered;
    },
    take,
    update: assign,
    waiting,
    taken: () => taken,
    spare,
    room: () => Math.max(0, Math.min(...ranks.slice(0, 2).map(roomOf))),
  };
}
