import { silentLog } from "@voxbus/testing";
import { expect, test } from "vitest";
import { createSchedule } from "./schedule.ts";
import { createTestClock } from "./test-clock.ts";

test.each([0, 1, 2, 3, 4])(
  "schedule: a thing that is armed while its step is taken is stepped again, also %i moments before its end",
  async (moments) => {
    const clock = createTestClock();
    let steps = 0;
    const schedule = createSchedule({
      clock,
      log: silentLog,
      async step() {
        steps += 1;
        if (steps > 1) return undefined;
        const arm = async () => {
          for (let moment = 0; moment < moments; moment += 1) await Promise.resolve();
          schedule.arm("a", 0);
        };
        void arm();
        return 1e9;
      },
    });
    schedule.arm("a", 0);
    await clock.advance(0);
    await clock.advance(1);
    expect(steps).toBe(2);
    schedule.close();
  },
);
