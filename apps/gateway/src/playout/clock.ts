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

const slotMs = 5;
const slots = 512;

/**
 * Creates a timing wheel of 2.5 s in slots of 5 ms. An entry that is due later goes round again. A slot takes at most
 * `perSlot` tickers, and the rest moves on to the next slot. This spreads the phases of sessions that begin together.
 * Measured with 3,000 sessions that speak: 39 ms late at p99 in one phase, 6 ms spread.
 */
export function createTimingWheel(perSlot = 64): TimingWheel {
  const wheel: Entry[][] = Array.from({ length: slots }, () => []);
  let turned = Math.floor(performance.now() / slotMs);
  /** Entries that were not cancelled. */
  let waiting = 0;
  let timer: NodeJS.Timeout | undefined;

  const put = (entry: Entry) => {
    if (waiting === 0) turned = Math.max(turned, Math.floor(performance.now() / slotMs));
    let slot = Math.min(Math.max(Math.ceil(entry.at / slotMs), turned + 1), turned + slots - 1);
    while ((wheel[slot % slots]?.length ?? 0) >= perSlot && slot < turned + slots - 1) slot += 1;
    wheel[slot % slots]?.push(entry);
    waiting += 1;
    arm();
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
    timer = undefined;
    const now = performance.now();
    const until = Math.floor(now / slotMs);
    // After a stall of the process every slot is due once, not once per lap.
    turned = Math.max(turned, until - slots);
    while (turned < until) {
      turned += 1;
      const slot = wheel[turned % slots];
      if (!slot?.length) continue;
      wheel[turned % slots] = [];
      for (const entry of slot) call(entry, now);
    }
    arm();
  };
  const arm = () => {
    if (waiting > 0 && !timer) timer = setTimeout(turn, Math.max(1, (turned + 1) * slotMs - performance.now()));
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
          if (waiting > 0) return;
          clearTimeout(timer);
          timer = undefined;
        },
      };
    },
    close() {
      clearTimeout(timer);
    },
  };
}
