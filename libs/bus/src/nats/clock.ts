/** The clock of NATS. The clock of this machine may be off by hours, and may be set. */
export interface NatsClock {
  /** Gives the time of NATS, in ms since the epoch. Until it is known, that of this machine. */
  now(): number;
  /** Takes the time `ts` of an answer to a request that was sent at `sentAt` (`performance.now()`). */
  learn(ts: string | undefined, sentAt: number): void;
}

/** An old answer is worth less: a clock drifts by at most this many ms in each ms. */
const drift = 0.0005;

/** Creates a clock that does not know the time of NATS yet. */
export function createNatsClock(): NatsClock {
  let known: { readonly offset: number; readonly error: number; readonly at: number } | undefined;
  return {
    now: () => (known === undefined ? Date.now() : Math.round(performance.now() + known.offset)),
    learn: (ts, sentAt) => {
      const time = Date.parse(ts ?? "");
      if (Number.isNaN(time)) return;
      const at = performance.now();
      const error = (at - sentAt) / 2;
      if (known !== undefined && error > known.error + (at - known.at) * drift) return;
      known = { offset: time - (sentAt + error), error, at };
    },
  };
}
