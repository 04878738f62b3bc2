const minuteMs = 60_000;

/** Times (ms) of the work that ended lately; each 0 if there was none. */
export interface TimesSummary {
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** The times of the work that ended in the last minute, at most the newest 1,024. */
export class RecentTimes {
  static readonly most = 1024;
  readonly #times: number[] = [];
  readonly #at: number[] = [];
  #next = 0;

  /** Adds a time (ms) that was measured at `at` (ms, of the same clock as `summarize`). */
  add(ms: number, at: number): void {
    this.#times[this.#next] = ms;
    this.#at[this.#next] = at;
    this.#next = (this.#next + 1) % RecentTimes.most;
  }

  /** Gives the mean and the percentiles (nearest rank) at the time `now`. */
  summarize(now: number): TimesSummary {
    const recent = this.#times.filter((_, i) => this.#at[i]! > now - minuteMs).sort((a, b) => a - b);
    const { length } = recent;
    if (length === 0) return { mean: 0, p50: 0, p95: 0, p99: 0 };
    const rank = (share: number) => round(recent[Math.ceil(share * length) - 1]!);
    const mean = round(recent.reduce((sum, ms) => sum + ms, 0) / length);
    return { mean, p50: rank(0.5), p95: rank(0.95), p99: rank(0.99) };
  }
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
