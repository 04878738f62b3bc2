import { groupsOf, z, type Context, type Program } from "@voxbus/subscriber";
import { readPlan, type Announcement } from "./plan.ts";
import { createSchedule } from "./schedule.ts";

const announcerConfig = {
  VOXBUS_ANNOUNCER_PLAN: z.string().min(1).default("announcements.json").describe("file with the announcements"),
};

/** The program announcer: its name and variables. */
export const announcer: Program<typeof announcerConfig> = { name: "announcer", config: announcerConfig };

const minuteMs = 60_000;
/** A process that was stopped catches up on this many minutes. */
const lateMinutes = 5;
/** Announcements that are stored at the same time. */
const atOnce = 20;

/** Parts of the program that a test replaces. */
export interface Clock {
  /** ms since the epoch. */
  now(): number;
  /** Calls `tick` soon after each beginning of a minute until it is closed. */
  everyMinute(tick: () => void): { close(): void };
}

/**
 * Lets all devices of a group that are online speak a text, at the times of a plan. The times are by the clock of NATS. A device
 * that is offline then is left out.
 */
export async function buildAnnouncer(context: Context<typeof announcerConfig>, given?: Clock): Promise<void> {
  const { config, bus, send, log, defer, signal } = context;
  const plan = readPlan(config.VOXBUS_ANNOUNCER_PLAN);
  const clock = given ?? createClock(() => bus.now());
  const schedule = createSchedule();
  const [presence, profiles] = await Promise.all([context.presence(), context.profiles()]);
  let minute = Math.floor(clock.now() / minuteMs);

  /** Chooses the devices for an announcement that is due now, and notes that it was made. */
  function choose(announcement: Announcement, now: number): readonly string[] {
    const { group, timeZone } = announcement;
    const members = [...presence.devices()]
      .map(([device]) => ({ device, profile: profiles.of(device) }))
      .filter(({ profile }) => group === undefined || groupsOf(profile).includes(group))
      .map(({ device, profile }) => ({ device, zone: timeZone ?? profile.timeZone }));
    const due = members.filter(({ zone }) => schedule.isDue(announcement, zone, now));
    for (const { zone } of due) schedule.done(announcement, zone, now);
    return due.map(({ device }) => device);
  }
  async function announce({ text, emotion, language, group }: Announcement, devices: readonly string[]) {
    const left = [...devices];
    let failed = 0;
    const work = async () => {
      for (let device = left.pop(); device !== undefined && !signal.aborted; device = left.pop()) {
        try {
          await send.say(device, text, { ...(emotion && { emotion }), ...(language && { language }) }, signal);
        } catch (err) {
          failed += 1;
          log.warn({ err, device }, "announcement failed");
        }
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    log.info({ group, devices: devices.length - failed, failed }, "announcement made");
  }
  function tick(): void {
    const current = Math.floor(clock.now() / minuteMs);
    for (minute = Math.max(minute, current - lateMinutes); minute < current;) {
      minute += 1;
      for (const announcement of plan) {
        const devices = choose(announcement, minute * minuteMs);
        if (devices.length > 0) void announce(announcement, devices);
      }
    }
  }

  const ticking = clock.everyMinute(tick);
  defer(() => ticking.close());
  log.info({ announcements: plan.length }, "plan read");
}

function createClock(now: () => number): Clock {
  return {
    now,
    everyMinute(tick) {
      let timer: NodeJS.Timeout;
      const wait = () => {
        timer = setTimeout(
          () => {
            tick();
            wait();
          },
          minuteMs - (now() % minuteMs),
        );
      };
      wait();
      return { close: () => clearTimeout(timer) };
    },
  };
}
