import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLifecycle } from "./lifecycle.ts";
import type { Log } from "./log.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("drain: every second a line has the sums of what all parts wait for, until the drain is over", async () => {
  const lines: unknown[] = [];
  const life = createLifecycle({
    info: (...line: unknown[]) => lines.push(line),
    error: () => undefined,
  } as unknown as Log);
  let left = 3;
  let end = (): void => undefined;
  life.drain(
    () => new Promise<void>((resolve) => (end = resolve)),
    () => ({ sessions: left, replies: 1 }),
  );
  life.drain(
    async () => undefined,
    () => ({ replies: 2 }),
  );
  life.drain(async () => undefined);
  const stopped = life.stop("drain");
  await vi.advanceTimersByTimeAsync(1000);
  left = 1;
  await vi.advanceTimersByTimeAsync(1000);
  end();
  await stopped;
  await vi.advanceTimersByTimeAsync(5000);
  expect(lines).toEqual([
    [{ sessions: 3, replies: 3 }, "drain waiting"],
    [{ sessions: 1, replies: 3 }, "drain waiting"],
  ]);
});
