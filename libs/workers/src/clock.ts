/** Returns monotonic time (ms), the same in every thread of this process. `performance.now()` begins anew in each. */
export function readClock(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
