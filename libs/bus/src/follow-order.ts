import type { Inbound } from "@voxbus/protocol";

/** A range of missing frames, by seq, both ends included. */
export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** Orders the frames of one session by seq and delivers each once. */
export interface FrameOrder {
  /** The seq of the next frame to deliver. */
  next(): number;
  /**
   * Delivers the frame and those that waited for it. If frames before it are missing, keeps it instead, and returns the
   * gap if no earlier frame has shown it.
   */
  take(frame: Inbound): Gap | undefined;
  /** When the earliest waiting frame came, by `performance.now()`. Undefined if none is waiting. */
  waitingSince(): number | undefined;
  /** Gives up the gap before the earliest waiting frame, then delivers that frame. */
  conceal(): void;
  /** Gives up every gap up to the seq `to`, and delivers the frames between them. */
  concealTo(to: number): void;
  /** Forgets all waiting frames, and ignores all others. */
  clear(): void;
}

/** Receivers of an ordered session. They must not throw. */
interface FrameHandlers {
  readonly frame: (frame: Inbound) => void;
  readonly lost: (from: number, to: number) => void;
}

/** Creates the order of one session's frames after the seq `after`. */
export function createFrameOrder(after: number, { frame: deliver, lost }: FrameHandlers): FrameOrder {
  let next = after + 1;
  /** The newest seq that came. */
  let newest = after;
  /** Frames that wait for one before them, and when they came. */
  const early = new Map<number, { readonly frame: Inbound; readonly at: number }>();

  const earliest = (): number => Math.min(...early.keys());
  const deliverEarly = (): void => {
    // A handler may call `clear`.
    for (let one = early.get(next); one !== undefined; one = early.get(next)) {
      early.delete(next);
      next += 1;
      deliver(one.frame);
    }
  };

  const concealBefore = (seq: number): void => {
    const from = next;
    next = seq;
    newest = Math.max(newest, seq - 1);
    lost(from, seq - 1);
    deliverEarly();
  };
  return {
    next: () => next,
    take: (frame) => {
      const { seq } = frame;
      if (seq < next) return undefined;
      const gap = seq > newest + 1 ? { from: newest + 1, to: seq - 1 } : undefined;
      newest = Math.max(newest, seq);
      if (seq > next) {
        if (!early.has(seq)) early.set(seq, { frame, at: performance.now() });
        return gap;
      }
      next = seq + 1;
      deliver(frame);
      deliverEarly();
      return gap;
    },
    waitingSince: () => early.get(earliest())?.at,
    conceal: () => concealBefore(earliest()),
    concealTo: (to) => {
      for (let from = next; from <= to; from = next) concealBefore(Math.min(earliest(), to + 1));
    },
    clear: () => {
      early.clear();
      next = Infinity;
    },
  };
}
