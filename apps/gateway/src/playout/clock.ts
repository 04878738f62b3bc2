/** Something that is called at a time. */
export interface Ticker {
  tick(now: number): void;
}

/** Tells the time, and wakes. */
export interface Clock {
  /** Monotonic time in ms. */
  now(): number;
  /** Calls `ticker.tick` once, at `at` or a few ms later, never earlier. Several calls for one ticker are independent. */
  wake(ticker: Ticker, at: number): void;
}

/** The clock of one session. */
export interface SessionClock extends Clock {
  /** Cancels every call that is due later, and all further ones. */
  close(): void;
}

/** One timer for all sessions of a gateway. */
export interface TimingWheel {
  /** Monotonic time in ms. */
  now(): number;
  /** Number of calls that are due later. */
  waiting(): number;
  /** Opens the clock of one session. `failed` takes the error of a ticker that throws. */
  open(failed: (error: unknown) => void): SessionClock;
  close(): void;
}

interface Entry {
  readonly at: number;
  /** Undefined once the entry was cancelled, so that the wheel holds no session that has ended. */
  call: { readonly ticker: Ticker; readonly owner: Owner } | undefined;
}

interface Owner {
  readonly entries: Set<Entry>;
  readonly failed: (error: unknown) => void;
}

/** A slot takes 1 ms, so that two packets are never 65 ms apart because of the slots. */
const slots = 4096;

/**
 * Creates a timing wheel of 4 s in slots of 1 ms. An entry that is due later goes round again. A slot takes at most
 * `perSlot` tickers, and the rest moves on to the next slot. This spreads the phases of sessions that begin together.
 */
export function createTimingWheel(perSlot = 64): TimingWheel {
  const wheel: Entry[][] = Array.from({ length: slots }, () => []);
  let turned = Math.floor(performance.now());
  /** Entries that were not cancelled. */
  let waiting = 0;
  let timer: NodeJS.Timeout | undefined;
  /** The slot of the timer: the first one that is not empty. */
  let timed = Infinity;
  let isTurning = false;

  const put = (entry: Entry) => {
    if (!isTurning) turned = Math.max(turned, Math.min(Math.floor(performance.now()), timed - 1));
    let slot = Math.min(Math.max(Math.ceil(entry.at), turned + 1), turned + slots - 1);
    while ((wheel[slot % slots]?.length ?? 0) >= perSlot && slot < turned + slots - 1) slot += 1;
    wheel[slot % slots]?.push(entry);
    waiting += 1;
    if (!isTurning && slot < timed) arm(slot);
  };
  const call = (entry: Entry, now: number) => {
    if (!entry.call) return;
    waiting -= 1;
    if (entry.at > now) return put(entry);
    const { ticker, owner } = entry.call;
    owner.entries.delete(entry);
    try {
      ticker.tick(now);
    } catch (error) {
      owner.failed(error);
    }
  };
  const turn = () => {
    const now = performance.now();
    const until = Math.floor(now);
    isTurning = true;
    // After a stall of the process every slot is due once, not once per lap.
    turned = Math.max(turned, until - slots);
    while (turned < until) {
      turned += 1;
      const slot = wheel[turned % slots];
      if (!slot?.length) continue;
      wheel[turned % slots] = [];
      for (const entry of slot) call(entry, now);
    }
    isTurning = false;
    rearm();
  };
  const rearm = () => {
    disarm();
    if (waiting === 0) return;
    let slot = turned + 1;
    while (wheel[slot % slots]?.length === 0) slot += 1;
    arm(slot);
  };
  const arm = (slot: number) => {
    clearTimeout(timer);
    timed = slot;
    timer = setTimeout(turn, Math.max(1, Math.ceil(slot - performance.now())));
  };
  const disarm = () => {
    clearTimeout(timer);
    timed = Infinity;
  };

  return {
    now: () => performance.now(),
    waiting: () => waiting,
    open(failed) {
      const owner: Owner = { entries: new Set(), failed };
      let closed = false;
      return {
        now: () => performance.now(),
        wake(ticker, at) {
          if (closed) return;
          const entry = { at, call: { ticker, owner } };
          owner.entries.add(entry);
          put(entry);
        },
        close() {
          closed = true;
          waiting -= owner.entries.size;
          for (const entry of owner.entries) entry.call = undefined;
          owner.entries.clear();
          if (waiting === 0) disarm();
        },
      };
    },
    close: disarm,
  };
}
