import { expect, it } from "vitest";
import type { Ticker } from "../playout/clock.ts";
import { Flow } from "./back-pressure-probe.ts";

/** A device that is sent sound every 60 ms, in virtual time; `reads` from `from` on, or not, until `to`. */
function play(options: { answered: boolean; reads: (now: number) => boolean; wants?: (now: number) => boolean }) {
  let now = 0;
  let due: { ticker: Ticker; at: number }[] = [];
  const log = { pings: 0, written: 0, heldAt: 0, slowAt: 0 };
  let unanswered = 0;
  const clock = {
    now: () => now,
    wake: (ticker: Ticker, at: number) => void due.push({ ticker, at }),
    close: () => undefined,
  };
  const flow = new Flow(clock, 15_000, options.answered, {
    ping: () => void ((log.pings += 1), (unanswered += 1)),
    slow: () => void (log.slowAt = now),
  });
  for (; now < 40_000 && log.slowAt === 0; now += 60) {
    if (unanswered > 0 && options.reads(now)) {
      unanswered = 0;
      flow.pong();
    }
    if (options.wants?.(now) ?? true) {
      if (flow.may(now)) log.written += 1;
      else log.heldAt ||= now;
    }
    const ready = due.filter(({ at }) => at <= now);
    due = due.filter(({ at }) => at > now);
    for (const { ticker } of ready) ticker.tick(now);
    expect(due.length).toBeLessThanOrEqual(1);
  }
  return log;
}

it("flow: a device that answers is pinged every 2 s and never held", () => {
  expect(play({ answered: false, reads: () => true })).toMatchObject({ heldAt: 0, slowAt: 0, written: 667 });
  expect(play({ answered: false, reads: () => true }).pings).toBeCloseTo(20, -1);
});

it("flow: one that stops reading gets no more sound after 4 s, and is slow after 15 s", () => {
  const { heldAt, slowAt } = play({ answered: true, reads: (now) => now < 6000 });
  expect(heldAt - 6000).toBeGreaterThan(3900);
  expect(heldAt - 6000).toBeLessThan(6100);
  expect(slowAt - 6000).toBeGreaterThan(14_900);
  expect(slowAt - 6000).toBeLessThan(17_100);
});

it("flow: one that takes a while and goes on is held and then sent more", () => {
  const { heldAt, slowAt, written } = play({ answered: true, reads: (now) => now < 6000 || now > 16_000 });
  expect(heldAt).toBeGreaterThan(9900);
  expect(slowAt).toBe(0);
  expect(written).toBeGreaterThan(450);
});

it("flow: of one that never answered a ping nothing is concluded", () => {
  expect(play({ answered: false, reads: () => false })).toMatchObject({ heldAt: 0, slowAt: 0 });
});

it("flow: without sound that waits a missing pong is nothing", () => {
  expect(play({ answered: true, reads: () => false, wants: (now) => now < 3000 })).toMatchObject({ slowAt: 0 });
});
