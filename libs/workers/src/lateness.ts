const fewest = 20;

/**
 * Creates a function that takes whether a piece of work was late, and the present time (ms). Once in `windowMs` it returns true if
 * more than half of the pieces since the time before were late, and they were 20 at least.
 */
export function watchLateness(windowMs: number): (isLate: boolean, now: number) => boolean {
  let until = 0;
  let pieces = 0;
  let late = 0;
  return (isLate, now) => {
    pieces += 1;
    if (isLate) late += 1;
    if (now < until) return false;
    const isBehind = pieces >= fewest && late > pieces / 2;
    until = now + windowMs;
    pieces = 0;
    late = 0;
    return isBehind;
  };
}
