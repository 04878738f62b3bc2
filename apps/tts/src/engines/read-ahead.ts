/**
 * Yields the values of a source. It reads on until at least `mostMs` of values wait for the reader. A reader that leaves aborts the
 * signal that the source was opened with. Throws the error of the source after the values before it.
 */
export async function* readAhead<Value>(
  open: (signal: AbortSignal) => AsyncIterable<Value>,
  { mostMs, msOf }: { readonly mostMs: number; readonly msOf: (value: Value) => number },
  signal: AbortSignal,
): AsyncGenerator<Value> {
  const left = new AbortController();
  const stop = AbortSignal.any([signal, left.signal]);
  const values: Value[] = [];
  let aheadMs = 0;
  let end: { readonly error?: unknown } | undefined;
  let wakeReader = () => {};
  let wakeSource = () => {};
  const isFull = () => aheadMs >= mostMs && !left.signal.aborted;
  const fill = async () => {
    try {
      for await (const value of open(stop)) {
        values.push(value);
        aheadMs += msOf(value);
        wakeReader();
        while (isFull()) await new Promise<void>((resolve) => (wakeSource = resolve));
      }
      end = {};
    } catch (error) {
      end = { error };
    }
    wakeReader();
  };
  const filled = fill();
  const onAbort = () => wakeReader();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      const value = values.shift();
      if (value !== undefined) {
        aheadMs -= msOf(value);
        wakeSource();
        yield value;
      } else if (end !== undefined) {
        if ("error" in end) throw end.error;
        return;
      } else await new Promise<void>((resolve) => (wakeReader = resolve));
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    left.abort(new Error("the reader left before the end"));
    wakeSource();
    await filled;
  }
}
