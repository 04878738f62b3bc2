/** The state of a pool. Times are in ms, of one clock. */
export interface PoolState {
  /** The work that runs at the same time. */
  readonly slots: number;
  /** The waiting work that runs first. */
  readonly ahead: number;
  readonly now: number;
  /** When each running piece of work started. */
  readonly startedAt: readonly number[];
  /** The mean time that a slot was held lately; 0 if it is unknown. */
  readonly meanMs: number;
}

/**
 * Estimates how long (ms) work waits that is submitted now. It takes all work for as long as the mean. Running work that is
 * older than the mean says that the mean is too short: it then lasts as long again as the running work has on average.
 */
export function estimateWait({ slots, ahead, now, startedAt, meanMs }: PoolState): number {
  const free = Math.max(0, slots - startedAt.length);
  if (ahead < free || slots === 0) return 0;
  const ages = startedAt.map((at) => now - at);
  const averageAge = ages.reduce((sum, age) => sum + age, 0) / Math.max(1, ages.length);
  const usualMs = Math.max(meanMs, averageAge);
  const left = ages.map((age) => (age < usualMs ? usualMs - age : usualMs / slots)).sort((a, b) => a - b);
  const untilFree = [...Array<number>(free).fill(0), ...left].slice(0, slots);
  return Math.round(untilFree[ahead % slots]! + Math.floor(ahead / slots) * usualMs);
}
