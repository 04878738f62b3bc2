/** A queue between a writer that never waits and one reader. */
export interface AsyncQueue<Value> extends AsyncIterable<Value> {
  /** Adds a value. Ignored after the end. */
  push(value: Value): void;
  /** Ends the reader's loop once everything queued was read, and throws `error` there if one is given. */
  end(error?: Error): void;
}

/** Creates an empty queue. `onReturn` is called when the reader leaves its loop before the end. */
export function createAsyncQueue<Value>(onReturn?: () => void): AsyncQueue<Value> {
  const values: Value[] = [];
  let ended: { readonly error?: Error | undefined } | undefined;
  let wake = () => {};
  return {
    push(value) {
      if (ended) return;
      values.push(value);
      wake();
    },
    end(error) {
      ended ??= { error };
      wake();
    },
    async *[Symbol.asyncIterator]() {
      try {
        for (;;) {
          while (values.length > 0) yield values.shift()!;
          if (ended) break;
          await new Promise<void>((resolve) => (wake = resolve));
        }
        if (ended.error) throw ended.error;
      } finally {
        if (!ended) onReturn?.();
      }
    },
  };
}
