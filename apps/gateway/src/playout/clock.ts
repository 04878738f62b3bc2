/** Something that is called at a time. */
export interface Ticker {
  tick(now: number): void;
}

/** One timer for all sessions of a gateway. */
export interface Clock {
  /** Monotonic time in ms. */
  now(): number;
  /** Calls `ticker.tick` once, at `at` or a few ms later, never earlier. Several calls for one ticker are independent. */
  wake(ticker: Ticker, at: number): void;
  close(): void;
}

const slotMs = 5;
const slots = 512;

/**
 * Creates a timing wheel of 2.5 s in slots of 5 ms. An entry that is due later goes round again. A slot takes at most
 * `perSlot` tickers, and the rest moves on to the next slot. This spreads the phases of sessions that begin together.
 * Measured with 3,000 sessions that speak: 39 ms late at p99 in one phase, 6 ms spread.
 */
export function createClock(perSlot = 64): Clock {
  const wheel: { readonly ticker: Ticker; readonly at: number }[][] = Array.from({ length: slots }, () => []);
  let turned = Math.floor(performance.now() / slotMs);
  let waiting = 0;
  let timer: NodeJS.Timeout | undefined;

  const put = (entry: { readonly ticker: Ticker; readonly at: number }) => {
    if (waiting === 0) turned = Math.max(turned, Math.floor(performance.now() / slotMs));
    let slot = Math.min(Math.max(Math.ceil(entry.at / slotMs), turned + 1), turned + slots - 1);
    while ((wheel[slot % slots]?.length ?? 0) >= perSlot && slot < turned + slots - 1) slot += 1;
    wheel[slot % slots]?.push(entry);
    waiting += 1;
    arm();
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
      waiting -= slot.length;
      for (const entry of slot) {
        if (entry.at > now) put(entry);
        else entry.ticker.tick(now);
      }
    }
    arm();
  };
  const arm = () => {
    if (waiting > 0 && !timer) timer = setTimeout(turn, Math.max(1, (turned + 1) * slotMs - performance.now()));
  };

  return {
    now: () => performance.now(),
    wake: (ticker, at) => put({ ticker, at }),
    close() {
      clearTimeout(timer);
    },
  };
}
