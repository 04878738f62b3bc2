/** A queue between a writer that never waits and one reader. */
export interface Queue<Value> extends AsyncIterable<Value> {
  /** Adds a value; ignored after the end. */
  push(value: Value): void;
  /** The reader ends after what is already queued, with the error if one is given. */
  end(error?: Error): void;
}

/** Makes a queue; `onReturn` runs when its reader leaves before the end. */
export function createQueue<Value>(onReturn?: () => void): Queue<Value> {
  const values: Value[] = [];
  let ended: { error?: Error | undefined } | undefined;
  let wake = () => {};
  return {
    push: (value) => {
      if (ended) return;
      values.push(value);
      wake();
    },
    end: (error) => {
      ended ??= { error };
      wake();
    },
    [Symbol.asyncIterator]: async function* () {
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
