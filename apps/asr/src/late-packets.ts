/** A packet that waited longer for its thread is late, ms. */
const lateMs = 100;
const windowMs = 2000;
const fewestPackets = 20;

/**
 * Creates a function that takes the time for which a packet waited, and the present time (ms). It returns true when more than half of
 * the packets of the last 2 s were late.
 */
export function watchPackets(): (waitedMs: number, now: number) => boolean {
  let until = 0;
  let packets = 0;
  let late = 0;
  return (waitedMs, now) => {
    packets += 1;
    if (waitedMs > lateMs) late += 1;
    if (now < until) return false;
    const isBehind = packets >= fewestPackets && late > packets / 2;
    until = now + windowMs;
    packets = 0;
    late = 0;
    return isBehind;
  };
}
