/** A sequence of values that several readers read from its start, each at its own pace. */
export interface SharedSequence<Value> {
  /**
   * Reads the values from the first one. The reader that is furthest ahead fetches the next one. Throws the error that ended
   * the sequence, or the signal's reason.
   */
  read(signal: AbortSignal): AsyncGenerator<Value>;
}

/**
 * Creates a sequence that begins with its first reader. When the last reader leaves before the end, the signal of `open` is
 * aborted. `onEnd` is called once: with all values, or with nothing if they are not complete.
 */
export function createSharedSequence<Value>(
  open: (signal: AbortSignal) => AsyncIterable<Value>,
  { onEnd }: { readonly onEnd: (values: readonly Value[] | undefined) => void },
): SharedSequence<Value> {
  const stop = new AbortController();
  const source = open(stop.signal)[Symbol.asyncIterator]();
  const values: Value[] = [];
  let fetching: Promise<void> | undefined;
  let isComplete = false;
  let isOver = false;
  let readers = 0;

  function end() {
    if (isOver) return;
    isOver = true;
    onEnd(isComplete ? values : undefined);
  }
  async function fetch(): Promise<void> {
    try {
      const { value, done } = await source.next();
      if (done) isComplete = true;
      else values.push(value);
      fetching = undefined;
      if (done) end();
    } catch (error) {
      // It stays in `fetching`, for every reader.
      end();
      throw error;
    }
  }
  function leave() {
    readers -= 1;
    if (readers > 0 || isOver) return;
    end();
    stop.abort(new Error("every reader left before the end"));
    void Promise.resolve(source.return?.()).catch(() => undefined);
  }

  return {
    async *read(signal) {
      readers += 1;
      try {
        for (let at = 0; ; at += 1) {
          signal.throwIfAborted();
          while (at >= values.length && !isComplete) await unlessAborted((fetching ??= fetch()), signal);
          if (at >= values.length) return;
          yield values[at]!;
        }
      } finally {
        leave();
      }
    },
  };
}

/** Waits for a promise. Throws the signal's reason as soon as that aborts. */
function unlessAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    void promise.then(resolve, reject).then(() => signal.removeEventListener("abort", onAbort));
  });
}
