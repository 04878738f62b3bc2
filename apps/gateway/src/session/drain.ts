import { setTimeout as delay } from "node:timers/promises";
import { fixedLimits } from "../limits.ts";
import type { TimingWheel } from "../playout/clock.ts";
import type { SessionTable } from "./session-table.ts";

/** Devices that are sent away come back to another gateway. So they leave at this interval, ms, … */
const paceMs = 50;
/** … as long as all have left within this time, ms. */
const spreadMs = 10_000;
/** The same time for sessions that still speak at the end of the drain, ms. */
const restMs = 2000;
const stepMs = 25;

/**
 * Closes every session, each at a moment of its own: silent ones soon, those that speak when they have finished or their
 * time is up. Resolves when none is left.
 */
export async function drainSessions(sessions: SessionTable, wheel: Pick<TimingWheel, "now">): Promise<void> {
  const began = wheel.now();
  const pace = sessions.connections() * paceMs;
  const shares = new Map(sessions.all().map(({ id }) => [id, Math.random()]));
  for (const session of sessions.all()) session.drain();
  for (;;) {
    const spent = wheel.now() - began;
    for (const session of sessions.all()) {
      const share = shares.get(session.id) ?? 0;
      const at = session.busy ? fixedLimits.drainMs + share * Math.min(restMs, pace) : share * Math.min(spreadMs, pace);
      if (spent >= at) session.close("restart");
    }
    if (sessions.connections() === 0) return;
    await delay(stepMs);
  }
}
