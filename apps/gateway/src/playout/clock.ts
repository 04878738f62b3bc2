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

/** Something that ends after an error. */
export interface Failing {
  fail(error: unknown): void;
}

/** One timer for all sessions of a gateway. */
export interface TimingWheel {
  /** Monotonic time in ms. */
  now(): number;
  /** Number of calls that are due later. */
  waiting(): number;
  /** Opens the clock of one session, which takes the errors of tickers that throw. */
  open(session: Failing): SessionClock;
  close(): void;
}

/** A call that is due at `at`, a whole number of ms. */
interface Entry {
  readonly at: number;
  readonly ticker: Ticker;
  readonly owner: Owner;
  /** The next entry of the same slot. */
  next: Entry | undefined;
}

/**
 * The entries of one moment, in the order in which they came. They are chained: an array for each round of each slot would
 * be garbage that has grown old.
 */
class Slot {
  size = 0;
  #first: Entry | undefined;
  #last: Entry | undefined;

  add(entry: Entry): void {
    if (this.#last) this.#last.next = entry;
    else this.#first = entry;
    this.#last = entry;
    this.size += 1;
  }

  /** Removes all entries, and then hands on each of them, in order. */
  empty(take: (entry: Entry) => void): void {
    let entry = this.#first;
    this.#first = this.#last = undefined;
    this.size = 0;
    while (entry) {
      const { next }: Entry = entry;
      entry.next = undefined;
      take(entry);
      entry = next;
    }
  }
}

/** A session's clock. Entries of one that was closed are forgotten when their slot is due, 4 s later at most. */
class Owner implements SessionClock {
  readonly session: Failing;
  /** Entries that are due later. */
  entries = 0;
  isClosed = false;
  readonly #wheel: { put(entry: Entry): void; cancel(entries: number): void };

  constructor(wheel: { put(entry: Entry): void; cancel(entries: number): void }, session: Failing) {
    this.#wheel = wheel;
    this.session = session;
  }

  now(): number {
    return performance.now();
  }

  wake(ticker: Ticker, at: number): void {
    if (this.isClosed) return;
    this.entries += 1;
    this.#wheel.put({ at: Math.ceil(at), ticker, owner: this, next: undefined });
  }

  close(): void {
    this.isClosed = true;
    this.#wheel.cancel(this.entries);
    this.entries = 0;
  }
}

/** A slot takes 1 ms, so that two packets are never 65 ms apart because of the slots. */
const slots = 4096;

/**
 * Creates a timing wheel of 4 s in slots of 1 ms. An entry that is due later goes round again. A slot takes at most
 * `perSlot` tickers, and the rest moves on to the next slot. This spreads the phases of sessions that begin together.
 */
export function createTimingWheel(perSlot = 64): TimingWheel {
  const wheel = Array.from({ length: slots }, () => new Slot());
  const slotAt = (time: number) => wheel[time % slots]!;
  let turned = Math.floor(performance.now());
  /** Entries of clocks that are open. */
  let waiting = 0;
  let timer: NodeJS.Timeout | undefined;
  /** The slot of the timer: the first one that is not empty. */
  let timed = Infinity;
  let isTurning = false;

  const put = (entry: Entry) => {
    if (!isTurning) turned = Math.max(turned, Math.min(Math.floor(performance.now()), timed - 1));
    let slot = Math.min(Math.max(entry.at, turned + 1), turned + slots - 1);
    while (slotAt(slot).size >= perSlot && slot < turned + slots - 1) slot += 1;
    slotAt(slot).add(entry);
    waiting += 1;
    if (!isTurning && slot < timed) arm(slot);
  };
  const call = (entry: Entry, now: number) => {
    const { at, ticker, owner } = entry;
    if (owner.isClosed) return;
    waiting -= 1;
    if (at > now) return put(entry);
    owner.entries -= 1;
    try {
      ticker.tick(now);
    } catch (error) {
      owner.session.fail(error);
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
      slotAt(turned).empty((entry) => call(entry, now));
    }
    isTurning = false;
    rearm();
  };
  const rearm = () => {
    disarm();
    if (waiting === 0) return;
    let slot = turned + 1;
    while (slotAt(slot).size === 0) slot += 1;
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

  const ownWheel = {
    put,
    cancel(entries: number) {
      waiting -= entries;
      if (waiting === 0) disarm();
    },
  };
  return {
    now: () => performance.now(),
    waiting: () => waiting,
    open: (session) => new Owner(ownWheel, session),
    close: disarm,
  };
}
