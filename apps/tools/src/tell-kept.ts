import { ConflictError, type BusLog, type Closer } from "@voxbus/bus";
import type { PresenceView } from "@voxbus/presence";
import { buckets, type KeptMessage, type KeptMessages } from "@voxbus/protocol";
import { endExpired, endKept, isWaiting } from "@voxbus/subscriber";
import { ulid } from "ulid";
import { createClock, type Clock } from "./clock.ts";
import { playOut, tellableSession, type PlayOutDeps } from "./play-out.ts";
import { takeOverMs } from "./ring.ts";
import { createSchedule } from "./schedule.ts";

/** How a kept announcement, or an attempt to tell it, ended. `missed`: it waits on. `unknown`: it is taken as told. */
export type KeptOutcome = (typeof keptOutcomes)[number];
export const keptOutcomes = ["told", "missed", "unknown", "expired"] as const;

/** Dependencies of telling what is kept. */
export interface TellDeps extends PlayOutDeps {
  readonly log: BusLog;
  readonly presence: Pick<PresenceView, "online" | "watch">;
  /** Called with the end of each announcement, and of each attempt. */
  readonly onEnd: (outcome: KeptOutcome) => void;
  /** Default: the clock of NATS, which all processes share. */
  readonly clock?: Clock;
}

/** After a session missed an announcement, the same session is not tried again for this time, ms. */
const againMs = 5000;

/**
 * Tells every announcement of the bucket `kept` as soon as its device is online, oldest first, one at a time, until it is
 * closed. Any number of processes share the work. Each attempt is written before it is made, and is made under one reply id. So an
 * announcement is told once, whichever process dies. One that the device did not play is told again: at once in its next
 * session, after 5 s in the same one.
 */
export async function tellKept(deps: TellDeps): Promise<Closer> {
  const { bus, log, presence, clock = createClock(bus.now) } = deps;
  /** Devices for which something waits. */
  const known = new Map<string, KeptMessages>();
  const tellNext = createTelling(deps, clock);
  const waitOf = (device: string) => {
    const waiting = known.get(device)?.messages.filter(isWaiting) ?? [];
    return findWait(waiting, { session: tellableSession(presence, device), now: clock.now() });
  };

  const schedule = createSchedule({
    clock,
    log,
    async step(device, signal) {
      const wait = waitOf(device);
      if (wait !== 0) return wait;
      try {
        await tellNext(device, signal);
      } catch (error) {
        // Another process was first, or something was added.
        if (!(error instanceof ConflictError)) throw error;
      }
      return waitOf(device);
    },
  });
  const arm = (device: string) => {
    const wait = waitOf(device);
    if (wait === undefined) schedule.disarm(device);
    else schedule.arm(device, wait);
  };
  const entries = await bus.bucket(buckets.kept).watch((device, entry) => {
    if (entry?.value?.messages.some(isWaiting)) known.set(device, entry.value);
    else known.delete(device);
    arm(device);
  });
  const sessions = presence.watch((device) => {
    if (known.has(device)) arm(device);
  });
  return {
    close() {
      schedule.close();
      sessions.close();
      entries.close();
    },
  };
}

/** Finds the time until the next step for a device in `session`, ms; undefined if nothing waits for it. */
function findWait(
  waiting: readonly KeptMessage[],
  { session, now }: { readonly session: string | undefined; readonly now: number },
): number | undefined {
  const [next] = waiting;
  if (next === undefined) return undefined;
  if (next.ring) return Math.max(0, next.ring.at + takeOverMs - now);
  const expiry = Math.max(0, Math.min(...waiting.map(({ expiresAt }) => expiresAt)) - now);
  return session === undefined ? expiry : Math.min(expiry, pauseOf(next, session, now));
}

/** Gives the time for which a session that missed an announcement is not tried again, ms. */
function pauseOf({ missed }: KeptMessage, session: string, now: number): number {
  return missed?.session === session ? Math.max(0, missed.at + againMs - now) : 0;
}

/**
 * Creates the step for a device: it ends what has expired, and tells the oldest that waits, if the device is online. It throws
 * ConflictError if another process was first.
 */
function createTelling({ onEnd, ...deps }: TellDeps, clock: Clock) {
  const { bus, log, presence } = deps;
  const bucket = bus.bucket(buckets.kept);

  const end = (device: string, { id, ring }: KeptMessage, change: (message: KeptMessage) => KeptMessage) =>
    bucket.modify(device, (found) => {
      const at = found?.messages.findIndex((one) => one.id === id && one.ring?.reply === ring?.reply) ?? -1;
      const message = found?.messages[at];
      return found && message && { messages: found.messages.with(at, change(message)) };
    });
  const tell = async (device: string, message: KeptMessage, isTakenOver: boolean, signal: AbortSignal) => {
    const { id, ring, text = "", emotion, language } = message;
    if (ring === undefined) return;
    const ringing = { device, ring, text, emotion, language };
    const outcome = await playOut(deps, ringing, { now: clock.now(), isTakenOver }, signal);
    const now = clock.now();
    await end(device, message, ({ ring: _ring, ...rest }) =>
      outcome === "missed"
        ? { ...rest, missed: { session: ring.session, at: now } }
        : endKept({ ...rest, ring }, "told", now),
    );
    onEnd(outcome === "rung" ? "told" : outcome);
    if (outcome === "unknown")
      log.warn({ device, message: id }, "outcome of a kept announcement unknown, taken as told");
  };

  return async (device: string, signal: AbortSignal): Promise<void> => {
    const entry = await bucket.get(device);
    if (entry?.value === undefined) return;
    const now = clock.now();
    const current = endExpired(entry.value, now);
    const next = current.messages.find(isWaiting);
    if (next?.ring) {
      if (next.ring.at + takeOverMs <= now) await tell(device, next, true, signal);
      return;
    }
    const session = tellableSession(presence, device);
    const begun =
      next === undefined || session === undefined || pauseOf(next, session, now) > 0
        ? undefined
        : { ...next, tries: next.tries + 1, ring: { reply: ulid(), session, at: now } };
    const expired = countWaiting(entry.value) - countWaiting(current);
    if (begun === undefined && expired === 0) return;
    const messages = current.messages.map((one) => (one === next && begun ? begun : one));
    await bucket.update(device, { messages }, entry.revision);
    for (let count = 0; count < expired; count += 1) onEnd("expired");
    if (begun) await tell(device, begun, false, signal);
  };
}

function countWaiting({ messages }: KeptMessages): number {
  return messages.filter(isWaiting).length;
}
