import { buckets, type Reminder } from "@voxbus/protocol";
import type { Bus, Closer } from "@voxbus/bus";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { ringReminders, type RingDeps } from "./ring.ts";
import { createTestClock } from "./test-clock.ts";
import { createTestDevices, dieAt, type TestDevices } from "./test-ringing.ts";

let nats: NatsServer;
let bus: Bus;
let devices: TestDevices;
const clock = createTestClock();
const open: Closer[] = [];
const minute = 60_000;

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  devices = await createTestDevices(bus, clock);
});
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

/** Starts a process that rings. */
async function start(deps: Partial<RingDeps> = {}): Promise<Closer> {
  const ringing = await ringReminders({ ...devices.deps, ...deps });
  open.push(ringing);
  return ringing;
}
/** Resolves once every process knows the reminders that were written so far. */
async function settled() {
  await bus.flush();
  const bucket = bus.bucket(buckets.reminders);
  const watch = await bucket.watch();
  watch.close();
}
const tea = (dueAt: number): Omit<Reminder, "device"> => ({ kind: "timer", name: "tea", ms: 5 * minute, dueAt });

/** Moves the clock until `done` is true, step by step: what is due may need the answers of NATS. */
async function advanceUntil(done: () => boolean | Promise<boolean>, stepMs = 1000) {
  await vi.waitFor(
    async () => {
      await clock.advance(stepMs);
      if (!(await done())) throw new Error("not yet");
    },
    { timeout: 15_000, interval: 10 },
  );
}
const isOver = (device: string) => async () => (await devices.left(device)).length === 0;

test("ring: several processes ring a timer once, on time, in the profile's language", async () => {
  devices.connect("once", "s1");
  devices.setLanguage("once", "de-DE");
  await Promise.all([start(), start(), start()]);
  await devices.remind("once.s1-1-1", tea(clock.now() + 30_000));
  await settled();
  await clock.advance(29_999);
  expect(devices.told("once")).toEqual([]);
  await advanceUntil(isOver("once"));
  expect(devices.told("once")).toEqual(["Dein Timer tea ist abgelaufen."]);
  await clock.advance(5 * minute);
  expect(devices.told("once")).toHaveLength(1);
});

test("ring: devices with very many reminders, whose announcements never end, do not keep others waiting", async () => {
  await start({ clock: { ...clock, after: (ms, run) => clock.after(ms, async () => void run()) } });
  const busy = Array.from({ length: 15 }, (_, at) => `busy-${at}`);
  const numbers = Array.from({ length: 20 }, (_, at) => at);
  const ids = busy.flatMap((device) => numbers.map((at) => `${device}.s-1-${at}`));
  for (const device of busy) devices.connect(device, `s-${device}`, "is silent");
  await Promise.all(ids.map((id) => devices.remind(id, tea(clock.now() + 5000))));
  devices.connect("patient", "s1");
  await devices.remind("patient.s1-1-1", tea(clock.now() + 10_000));
  await settled();
  const dueAt = clock.now() + 10_000;
  await advanceUntil(isOver("patient"));
  expect(devices.told("patient")).toEqual(["Your tea timer is done."]);
  expect(clock.now() - dueAt).toBeLessThan(60_000);
  for (const device of busy) devices.leave(device);
  await Promise.all(ids.map((id) => bus.bucket(buckets.reminders).remove(id)));
});

test("ring: a device that was away is told when it is back, and how long ago it was", async () => {
  await start();
  await devices.remind("away.s1-1-1", tea(clock.now() + 1000));
  await settled();
  await clock.advance(5 * minute);
  expect(devices.told("away")).toEqual([]);
  devices.connect("away", "s2");
  await advanceUntil(isOver("away"));
  expect(devices.told("away")).toEqual(["Your tea timer ended 5 minutes ago."]);
});

test("ring: one that the device did not play before its session ended rings again in the next session", async () => {
  devices.connect("cut", "s1", "closes");
  await start();
  await devices.remind("cut.s1-1-1", tea(clock.now()));
  await advanceUntil(() => devices.told("cut").length === 1);
  await vi.waitFor(() => expect(devices.outcomes.at(-1)).toBe("missed"));
  devices.connect("cut", "s2");
  await advanceUntil(isOver("cut"));
  expect(devices.told("cut")).toHaveLength(2);
  expect(new Set(devices.says.slice(-2).map(({ session }) => session))).toEqual(new Set(["s1", "s2"]));
});

test("ring: one whose gateway died in mid-announcement rings again", async () => {
  devices.connect("lost", "s1", "is silent");
  await start({ clock: { ...clock, after: (ms, run) => clock.after(ms, async () => void run()) } });
  await devices.remind("lost.s1-1-1", tea(clock.now()));
  await advanceUntil(() => devices.told("lost").length === 1);
  devices.leave("lost");
  devices.connect("lost", "s2");
  await advanceUntil(isOver("lost"));
  expect(devices.told("lost")).toHaveLength(2);
});

test("ring: a repeated alarm rings at its next time of day; of several missed ones the newest is announced", async () => {
  await start();
  const timeZone = "Asia/Tokyo";
  const dueAt = Math.floor(clock.now() / minute) * minute - 50 * 3_600_000;
  const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone }).format(dueAt);
  const alarm = { kind: "alarm" as const, name: "the pills", time, timeZone, days: [1, 2, 3, 4, 5, 6, 7] };
  await devices.remind("daily.s1-1-1", { ...alarm, dueAt });
  devices.connect("daily", "s9");
  await advanceUntil(async () => ((await devices.left("daily"))[0]?.dueAt ?? 0) > clock.now());
  expect(devices.told("daily")).toEqual([
    expect.stringMatching(/^Your alarm for .* was due 2 hours ago: the pills\.$/),
  ]);
  const [left] = await devices.left("daily");
  expect(left!.dueAt).toBe(dueAt + 3 * 86_400_000);
  expect(left!.ring).toBeUndefined();
});

test("ring: a canceled reminder does not ring, and one of an older version does", async () => {
  devices.connect("old", "s1");
  await start();
  await devices.remind("old.s1-1-1", { text: "Your timer is done.", dueAt: clock.now() + 2000 });
  await devices.remind("old.s1-2-1", tea(clock.now() + 1000));
  await settled();
  await bus.bucket(buckets.reminders).remove("old.s1-2-1");
  await settled();
  await advanceUntil(isOver("old"));
  expect(devices.told("old")).toEqual(["Your timer is done."]);
});

test("ring: a device that stays away for over 30 days is given up", async () => {
  await start();
  await devices.remind("gone.s1-1-1", tea(clock.now() - 31 * 86_400_000));
  await advanceUntil(isOver("gone"));
  expect(devices.outcomes.at(-1)).toBe("expired");
  expect(devices.told("gone")).toEqual([]);
});

test.each(["before", "after"] as const)(
  "ring: wherever its process dies, %s any operation, a reminder rings once and is over",
  async (when) => {
    for (let at = 1; ; at += 1) {
      const device = `dies-${when}-${at}`;
      devices.connect(device, "s1");
      const mortal = dieAt(bus, at, when);
      const first = await start({
        bus: mortal.bus,
        clock: { ...clock, after: (ms, run) => clock.after(ms, async () => void run()) },
      });
      await devices.remind(`${device}.s1-1-1`, tea(clock.now()));
      await settled();
      await clock.advance(1);
      const isOverAlone = vi.waitFor(async () => expect(await devices.left(device)).toEqual([]), { timeout: 5000 });
      const end = await Promise.race([mortal.died.then(() => "died"), isOverAlone.then(() => "over")]);
      isOverAlone.catch(() => undefined);
      first.close();
      if (end === "over") {
        expect(at).toBeGreaterThan(4);
        break;
      }
      // If it was announced, its process did not hear the end, and the session may be over when another one takes part.
      await bus.flush();
      if (devices.told(device).length > 0) devices.leave(device);
      const second = await start();
      await advanceUntil(isOver(device), 5000);
      expect(devices.told(device)).toHaveLength(1);
      second.close();
    }
  },
);
