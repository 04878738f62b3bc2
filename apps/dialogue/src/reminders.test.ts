import type { Bus } from "@voxbus/bus";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openReminderBook, type ReminderBook } from "./reminders.ts";

let nats: NatsServer;
let bus: Bus;
const books: ReminderBook[] = [];
/** What was announced, each id once, as a stream with de-duplication keeps it. */
const announced = new Map<string, string>();
const tries: string[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterAll(async () => {
  for (const book of books) book.close();
  await bus.close();
  await nats.stop();
});

const open = () => {
  const announce = async (device: string, text: string, id: string) => {
    tries.push(text);
    if (text.startsWith("fails once") && tries.filter((one) => one === text).length === 1) throw new Error("away");
    if (!announced.has(id)) announced.set(id, `${device}: ${text}`);
  };
  const book = openReminderBook(bus.bucket("dialogues"), announce, () => undefined, 200);
  books.push(book);
  return book;
};
const turn = (device: string, origin = 1) => ({ device, session: "s", origin });
const heard = (device: string) => [...announced.values()].filter((one) => one.startsWith(`${device}: `));

test("reminders: with several workers each is announced once, on time, by the one that took it down", async () => {
  const [mine] = [open(), open(), open()];
  const began = performance.now();
  await mine?.of(turn("a:b")).schedule(300, "on time");
  await vi.waitFor(() => expect(heard("a:b")).toHaveLength(1), { interval: 10 });
  expect(performance.now() - began).toBeGreaterThan(290);
  await vi.waitFor(async () => expect(await open().of(turn("a:b")).cancel()).toBe(0));
  await new Promise((resolve) => setTimeout(resolve, 1200));
  expect(heard("a:b")).toEqual(["a:b: on time"]);
  expect(tries.filter((text) => text === "on time")).toHaveLength(1);
});

test("reminders: one whose worker is gone is announced by another, or by the next one that starts", async () => {
  for (const book of books.splice(0)) book.close();
  const first = open();
  await first.of(turn("other")).schedule(600, "taken over");
  const second = open();
  first.close();
  await vi.waitFor(() => expect(heard("other")).toEqual(["other: taken over"]), { timeout: 4000 });
  await second.of(turn("late")).schedule(100, "late");
  second.close();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(heard("late")).toEqual([]);
  open();
  open();
  await vi.waitFor(() => expect(heard("late")).toEqual(["late: late"]), { timeout: 4000 });
});

test("reminders: what cannot be announced is tried again", async () => {
  await open().of(turn("again")).schedule(10, "fails once");
  await vi.waitFor(() => expect(heard("again")).toEqual(["again: fails once"]), { timeout: 4000 });
});

test("reminders: a turn that is started again takes nothing down twice, and another worker can cancel", async () => {
  const [mine, other] = [open(), open()];
  await mine.of(turn("twice")).schedule(60_000, "x");
  await other.of(turn("twice")).schedule(60_000, "x");
  await mine.of(turn("twice", 2)).schedule(60_000, "x");
  expect(await other.of(turn("twice", 3)).cancel()).toBe(2);
  expect(await mine.of(turn("twice", 4)).cancel()).toBe(0);
});

test("reminders: a device has at most 20", async () => {
  const reminders = open().of(turn("many"));
  for (let i = 0; i < 20; i += 1) await reminders.schedule(60_000, "x");
  await expect(reminders.schedule(60_000, "x")).rejects.toThrow(RangeError);
  expect(await open().of(turn("few")).cancel()).toBe(0);
  expect(await open().of(turn("many")).cancel()).toBe(20);
});
