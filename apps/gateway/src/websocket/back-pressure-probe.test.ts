import { expect, it } from "vitest";
import { BackPressureProbe } from "./back-pressure-probe.ts";

/** Sends a device sound every 60 ms, in virtual time. `reads` tells when it answers pings, `wants` when there is sound. */
function play(options: { answered: boolean; reads: (now: number) => boolean; wants?: (now: number) => boolean }) {
  const probe = new BackPressureProbe(15_000, options.answered);
  const log = { pings: 0, written: 0, heldAt: 0, slowAt: 0 };
  let checkAt: number | undefined;
  let unanswered = 0;
  const check = (now: number) => {
    const next = probe.check(now);
    checkAt = typeof next === "number" ? next : undefined;
    if (next === "slow") log.slowAt = now;
  };
  for (let now = 0; now < 40_000 && log.slowAt === 0; now += 60) {
    if (unanswered > 0 && options.reads(now)) {
      unanswered = 0;
      probe.pong();
    }
    if (options.wants?.(now) ?? true) {
      if (probe.want(now)) {
        log.pings += 1;
        unanswered += 1;
        if (checkAt === undefined) check(now);
      }
      if (probe.mayWrite(now)) log.written += 1;
      else log.heldAt ||= now;
    }
    if (checkAt !== undefined && checkAt <= now) check(now);
  }
  return log;
}

it("back-pressure probe: a device that answers is pinged every 2 s, and its sound never waits", () => {
  expect(play({ answered: false, reads: () => true })).toMatchObject({ heldAt: 0, slowAt: 0, written: 667 });
  expect(play({ answered: false, reads: () => true }).pings).toBeCloseTo(20, -1);
});

it("back-pressure probe: a device that stops reading gets no more sound after 4 s, and is slow after 15 s", () => {
  const { heldAt, slowAt } = play({ answered: true, reads: (now) => now < 6000 });
  expect(heldAt - 6000).toBeGreaterThan(3900);
  expect(heldAt - 6000).toBeLessThan(6100);
  expect(slowAt - 6000).toBeGreaterThan(14_900);
  expect(slowAt - 6000).toBeLessThan(17_100);
});

it("back-pressure probe: a device that pauses is sent nothing, and more when it goes on", () => {
  const { heldAt, slowAt, written } = play({ answered: true, reads: (now) => now < 6000 || now > 16_000 });
  expect(heldAt).toBeGreaterThan(9900);
  expect(slowAt).toBe(0);
  expect(written).toBeGreaterThan(450);
});

it("back-pressure probe: a device that never answered a ping is not judged", () => {
  expect(play({ answered: false, reads: () => false })).toMatchObject({ heldAt: 0, slowAt: 0 });
});

it("back-pressure probe: without sound that waits, a missing pong does not count", () => {
  expect(play({ answered: true, reads: () => false, wants: (now) => now < 3000 })).toMatchObject({ slowAt: 0 });
});
