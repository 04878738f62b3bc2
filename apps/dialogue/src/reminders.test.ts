import { buckets, type Reminder } from "@voxbus/protocol";
import type { Bus } from "@voxbus/bus";
import { connectTestBus, silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { openReminderBook, type ReminderBook } from "./reminders.ts";
import { createTestClock } from "./test-clock.ts";

let nats: NatsServer;
let bus: Bus;
const clock = createTestClock();
const books: ReminderBook[] = [];
/** The announcements, each id once, as a stream with de-duplication keeps them. */
const announced = new Map<string, string>();
const tries: string[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterEach(() => {
  for (const book of books.splice(0)) book.close();
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

/** Opens a book, as a worker does when it starts. */
async function open(): Promise<ReminderBook> {
  const announce = async ({ device, text }: Reminder, id: string) => {
    tries.push(text);
    if (text.startsWith("fails once") && tries.filter((one) => one === text).length === 1) throw new Error("away");
    if (text === "always fails") throw new Error("no such device");
    if (!announced.has(id)) announced.set(id, `${device}: ${text}`);
  };
  const book = openReminderBook({ bus, announce, log: silentLog, clock });
  books.push(book);
  await clock.advance(0);
  return book;
}
const turn = (device: string, origin = 1) => ({ device, session: "s", origin });
const heard = (device: string) => [...announced.values()].filter((one) => one.startsWith(`${device}: `));

test("reminders: with several workers each is announced once, on time, by the worker that scheduled it", async () => {
  const [mine, other] = [await open(), await open(), await open()];
  await mine.of(turn("a:b")).schedule(30_000, "on time");
  await clock.advance(29_999);
  expect(heard("a:b")).toEqual([]);
  await clock.advance(1);
  expect(heard("a:b")).toEqual(["a:b: on time"]);
  expect(await other.of(turn("a:b")).cancel()).toBe(0);
  await clock.advance(10_000);
  expect(tries.filter((text) => text === "on time")).toHaveLength(1);
});

test("reminders: if their worker is gone, another one announces them, or the next one that starts", async () => {
  const first = await open();
  await first.of(turn("other")).schedule(600, "taken over");
  const second = await open();
  first.close();
  await clock.advance(1100);
  expect(heard("other")).toEqual([]);
  await clock.advance(500);
  expect(heard("other")).toEqual(["other: taken over"]);
  await second.of(turn("late")).schedule(100, "late");
  second.close();
  await clock.advance(10_000);
  expect(heard("late")).toEqual([]);
  await open();
  await open();
  await clock.advance(1000);
  expect(heard("late")).toEqual(["late: late"]);
});

test("reminders: a worker finds those that others scheduled while it runs", async () => {
  const [first] = [await open(), await open()];
  await first.of(turn("found")).schedule(20_000, "found");
  await clock.advance(5000);
  first.close();
  await clock.advance(16_000);
  expect(heard("found")).toEqual(["found: found"]);
});

test("reminders: a failed announcement is tried again", async () => {
  const book = await open();
  await book.of(turn("again")).schedule(10, "fails once");
  await clock.advance(10);
  expect(heard("again")).toEqual([]);
  await clock.advance(1000);
  expect(heard("again")).toEqual(["again: fails once"]);
});

test("reminders: one whose announcement always fails is given up", async () => {
  const book = await open();
  await book.of(turn("odd")).schedule(100, "always fails");
  await clock.advance(60_000);
  expect(tries.filter((text) => text === "always fails")).toHaveLength(5);
  expect(await book.of(turn("odd")).cancel()).toBe(1);
});

test("reminders: a turn that is started again schedules nothing twice, and another worker can cancel", async () => {
  const [mine, other] = [await open(), await open()];
  await mine.of(turn("twice")).schedule(60_000, "x");
  await other.of(turn("twice")).schedule(60_000, "x");
  await mine.of(turn("twice", 2)).schedule(60_000, "x");
  expect(await other.of(turn("twice", 3)).cancel()).toBe(2);
  expect(await mine.of(turn("twice", 4)).cancel()).toBe(0);
});

test("reminders: a device has at most 20", async () => {
  const [book, other] = [await open(), await open()];
  const reminders = book.of(turn("many"));
  for (let i = 0; i < 20; i += 1) await reminders.schedule(60_000, "x");
  await expect(reminders.schedule(60_000, "x")).rejects.toThrow(RangeError);
  expect(await other.of(turn("few")).cancel()).toBe(0);
  expect(await other.of(turn("many")).cancel()).toBe(20);
});

test("reminders: they are due by the clock of NATS, although this machine's clock is hours off", async () => {
  const right = Date.now.bind(Date);
  vi.spyOn(Date, "now").mockImplementation(() => right() + 5 * 3_600_000);
  const book = openReminderBook({ bus, announce: async () => undefined, log: silentLog });
  books.push(book);
  await book.of(turn("off")).schedule(60_000, "in a minute");
  const [id] = await bus.bucket(buckets.reminders).ids("off");
  const { dueAt } = (await bus.bucket(buckets.reminders).get(id!))!.value!;
  expect(Math.abs(dueAt - right() - 60_000)).toBeLessThan(1000);
  vi.restoreAllMocks();
});
