import type { Bus } from "@voxbus/bus";
import { buckets } from "@voxbus/protocol";
import { connectTestBus, startNatsServer } from "@voxbus/testing";
import { expect, onTestFinished, test } from "vitest";
import { maxPerDevice, openReminderBook, TooManyRemindersError } from "./reminder-book.ts";

test("reminders: of many that are set at once, by several processes, a device keeps as many as it may have", async () => {
  const nats = await startNatsServer();
  const buses = await Promise.all([connectTestBus(nats.url), connectTestBus(nats.url)]);
  onTestFinished(async () => {
    await Promise.all(buses.map((bus) => bus.close()));
    await nats.stop();
  });
  const books = buses.map(openReminderBook);
  const ids = Array.from({ length: 3 * maxPerDevice }, (_, n) => `kitchen.r${n}`);
  const add = (id: string, n: number) => books[n % 2]!.add(id, { device: "kitchen", dueAt: n });
  const outcomes = await Promise.allSettled(ids.map(add));
  const kept = (await books[0]!.list("kitchen")).map(({ id }) => id);
  expect(kept).toHaveLength(maxPerDevice);
  for (const [n, outcome] of outcomes.entries()) {
    expect([ids[n], outcome.status]).toEqual([ids[n], kept.includes(ids[n]!) ? "fulfilled" : "rejected"]);
    if (outcome.status === "rejected") expect(outcome.reason).toBeInstanceOf(TooManyRemindersError);
  }
  // A call that is made again adds nothing, and is not refused.
  await add(kept[0]!, 0);
  expect(await books[1]!.list("kitchen")).toHaveLength(maxPerDevice);
});

test("reminders: one that has rung before its writer looks again was no one too many", async () => {
  const nats = await startNatsServer();
  const bus = await connectTestBus(nats.url);
  onTestFinished(async () => {
    await bus.close();
    await nats.stop();
  });
  const bucket = bus.bucket(buckets.reminders);
  const modify = async (...[id, change]: Parameters<typeof bucket.modify>) => {
    const written = await bucket.modify(id, change);
    await bucket.remove(id);
    return written;
  };
  const book = openReminderBook({ ...bus, bucket: () => ({ ...bucket, modify }) } as unknown as Bus);
  await book.add("kitchen.r1", { device: "kitchen", dueAt: 1 });
  expect(await book.list("kitchen")).toEqual([]);
});
