/**
 * Creates a limit of calls: at most `perMinute` in any 60 s; 0: any number. The function counts a call, or gives the seconds
 * after which the next one is allowed. `now` in ms.
 */
export function createCallLimit(
  perMinute: number,
  now: () => number = () => performance.now(),
): () => number | undefined {
  let times: readonly number[] = [];
  return () => {
    if (perMinute === 0) return undefined;
    const at = now();
    times = times.filter((time) => time > at - minuteMs);
    const [oldest] = times;
    if (oldest !== undefined && times.length >= perMinute)
      return Math.max(1, Math.ceil((oldest + minuteMs - at) / 1000));
    times = [...times, at];
    return undefined;
  };
}

const minuteMs = 60_000;
