import { readClock } from "./clock.ts";

/** The values that a task's caller has written, in its thread. Reading one, and the end, is a step of the task. */
export interface TaskInput<Value> extends AsyncIterable<Value> {
  /** Adds a value. `urgent`: somebody waits for the answer. */
  push(value: Value, urgent: boolean): void;
  /** Ends the reader's loop behind the values. */
  end(): void;
  /** Discards the values and ends the reader's loop, at its next step. */
  discard(): void;
  /** The time of the end (`readClock`), whether or not all values were read. */
  readonly endedAt: number | undefined;
}

// A value is due after this time (ms), before anyone waits for the answer.
const unhurriedMs = 1000;

/**
 * Creates an empty input. `wait` waits for the step that is due at a time, and `hurry` gives that step another one. A step is
 * due at once when the input has ended or a value is urgent.
 */
export function createTaskInput<Value>(steps: {
  wait(due: number): Promise<void>;
  hurry(due: number): void;
}): TaskInput<Value> {
  let values: { readonly value: Value; readonly at: number; readonly urgent: boolean }[] = [];
  /** The times of the urgent values. */
  let urgentAt: number[] = [];
  let endedAt: number | undefined;
  let isReading = false;
  let wake = () => {};

  function isEmpty(): boolean {
    return values.length === 0 && endedAt === undefined;
  }
  function readDue(): number {
    return endedAt ?? urgentAt[0] ?? values[0]!.at + unhurriedMs;
  }
  function end(): void {
    endedAt ??= readClock();
    if (isReading) steps.hurry(endedAt);
    wake();
  }

  return {
    push(value, urgent) {
      if (endedAt !== undefined) return;
      const at = readClock();
      values.push({ value, at, urgent });
      if (urgent) urgentAt.push(at);
      if (urgent && isReading) steps.hurry(readDue());
      wake();
    },
    end,
    discard() {
      values = [];
      urgentAt = [];
      end();
    },
    get endedAt() {
      return endedAt;
    },
    [Symbol.asyncIterator]: () => ({
      async next() {
        while (isEmpty()) await new Promise<void>((resolve) => (wake = resolve));
        isReading = true;
        await steps.wait(readDue());
        isReading = false;
        const first = values.shift();
        if (first?.urgent) urgentAt.shift();
        return first ? { done: false, value: first.value } : { done: true, value: undefined };
      },
    }),
  };
}
