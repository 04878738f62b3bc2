import { ConflictError, type Bucket, type BusLog, type Closer, type Entry } from "@voxbus/bus";
import type { PresenceView, Profiles } from "@voxbus/presence";
import { buckets, type Reminder } from "@voxbus/protocol";
import { ulid } from "ulid";
import { announce } from "./announcement.ts";
import { createClock, type Clock } from "./clock.ts";
import { playOut, playOutcomes, tellableSession, type PlayOutcome, type PlayOutDeps, type Ring } from "./play-out.ts";
import { nextOccurrence } from "./recurrence.ts";
import { createSchedule } from "./schedule.ts";

/** How a ring ended. `expired`: its device stayed away. */
export type RingOutcome = (typeof ringOutcomes)[number];
export const ringOutcomes = [...playOutcomes, "expired"] as const;

/** Dependencies of ringing. */
export interface RingDeps extends PlayOutDeps {
  readonly log: BusLog;
  readonly presence: Pick<PresenceView, "online">;
  readonly profiles: Pick<Profiles, "of">;
  /** Called with the end of each ring. */
  readonly onEnd: (outcome: RingOutcome) => void;
  /** Default: the clock of NATS, which all processes share. */
  readonly clock?: Clock;
}

/** A reminder that is being announced. */
type RingingReminder = Reminder & { readonly ring: Ring };
type Found = Pick<Entry<Reminder>, "id" | "revision">;

/** The time between two looks for a device that is away or rings already, and from a ring that was missed to the next, ms. */
const awayMs = 1000;
/** A reminder whose device stays away for longer than this is removed, ms. */
const expireMs = 30 * 24 * 3_600_000;
/** Another process takes part in a ring that has no end after this time, ms. Its own process may be gone. */
export const takeOverMs = 20_000;

/**
 * Rings every reminder of the bucket `reminders` when it is due and its device is online, until it is closed. Any number of
 * processes share the work. Each ring is written into its reminder before it is announced, and is announced under one id. So it
 * rings once, whichever process dies. A ring that the device did not play, because its session ended before, is repeated.
 */
export async function ringReminders(deps: RingDeps): Promise<Closer> {
  const { bus, log, presence, profiles, clock = createClock(bus.now), onEnd } = deps;
  const bucket = bus.bucket(buckets.reminders);
  const known = new Map<string, Reminder>();
  /** Devices in whose rings this process takes part: one of each, so that none keeps the others' waiting. */
  const ringing = new Set<string>();
  const waitOf = ({ dueAt, ring }: Reminder) => (ring ? ring.at + takeOverMs : dueAt) - clock.now();
  const isExpired = ({ dueAt }: Reminder) => clock.now() - dueAt > expireMs;
  const isAway = (one: Reminder) => !one.ring && !isExpired(one) && tellableSession(presence, one.device) === undefined;
  const mustWait = (one: Reminder) => isAway(one) || ringing.has(one.device);

  const begin = async ({ id, revision }: Found, reminder: Reminder, signal: AbortSignal) => {
    const session = tellableSession(presence, reminder.device);
    if (session === undefined) return;
    const begun = { ...reminder, ring: { reply: ulid(), session, at: clock.now() } };
    await ring({ id, revision: await bucket.update(id, begun, revision) }, begun, false, signal);
  };
  const ring = async (found: Found, it: RingingReminder, isTakenOver: boolean, signal: AbortSignal) => {
    const now = clock.now();
    const said = announce(it, now, profiles.of(it.device).language);
    const ringing = { device: it.device, ring: it.ring, emotion: "happy", ...said } as const;
    const outcome = await playOut(deps, ringing, { now, isTakenOver }, signal);
    await settle(bucket, found, it, { outcome, now: clock.now() });
    onEnd(outcome);
    if (outcome === "unknown") log.warn({ reminder: found.id }, "reminder outcome unknown, taken as rung");
  };
  const expire = async ({ id, revision }: Found) => {
    await bucket.remove(id, revision);
    onEnd("expired");
    log.warn({ reminder: id }, "reminder of an absent device removed");
  };
  const take = async (found: Found, reminder: Reminder, signal: AbortSignal) => {
    try {
      if (reminder.ring) await ring(found, { ...reminder, ring: reminder.ring }, true, signal);
      else if (isExpired(reminder)) await expire(found);
      else await begin(found, reminder, signal);
    } catch (error) {
      // Another process was first, or the user canceled it.
      if (!(error instanceof ConflictError)) throw error;
    }
  };

  const schedule = createSchedule({
    clock,
    log,
    async step(id, signal) {
      const last = known.get(id);
      if (last && waitOf(last) <= 0 && mustWait(last)) return awayMs;
      const entry = await bucket.get(id);
      if (entry?.value === undefined) return undefined;
      const wait = waitOf(entry.value);
      if (wait > 0) return wait;
      if (mustWait(entry.value)) return awayMs;
      const { device } = entry.value;
      ringing.add(device);
      try {
        await take(entry, entry.value, signal);
      } finally {
        ringing.delete(device);
      }
      const left = known.get(id);
      return left && Math.max(awayMs, waitOf(left));
    },
  });
  const watch = await bucket.watch((id, entry) => {
    if (entry?.value === undefined) {
      known.delete(id);
      return schedule.disarm(id);
    }
    const wasMissed = known.get(id)?.ring !== undefined && entry.value.ring === undefined;
    known.set(id, entry.value);
    if (!schedule.isRunning(id)) schedule.arm(id, Math.max(wasMissed ? awayMs : 0, waitOf(entry.value)));
  });
  return {
    close() {
      schedule.close();
      watch.close();
    },
  };
}

/** Writes the end of a ring. Throws ConflictError if the reminder was changed or removed meanwhile. */
async function settle(
  bucket: Bucket<Reminder, Reminder>,
  { id, revision }: Found,
  { ring: _ring, ...reminder }: RingingReminder,
  { outcome, now }: { readonly outcome: PlayOutcome; readonly now: number },
): Promise<void> {
  const { time, timeZone, days } = reminder;
  if (outcome === "missed") await bucket.update(id, reminder, revision);
  else if (days && time && timeZone)
    await bucket.update(id, { ...reminder, dueAt: nextOccurrence({ days, time, timeZone }, now) }, revision);
  else await bucket.remove(id, revision);
}
