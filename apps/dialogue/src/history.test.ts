import type { Bus } from "@voxbus/bus";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createHistory } from "./history.ts";

let nats: NatsServer;
let bus: Bus;
beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

test("history: the newest 50 messages stay, also when two workers append at the same time", async () => {
  const history = createHistory(bus);
  const message = (text: string) => ({ role: "user" as const, text, at: 1 });
  expect(await history.read("aa:bb:cc:dd:ee:ff")).toEqual([]);
  await history.append(
    "aa:bb:cc:dd:ee:ff",
    Array.from({ length: 49 }, (_, i) => message(String(i))),
  );
  await Promise.all(["x", "y"].map((text) => history.append("aa:bb:cc:dd:ee:ff", [message(text)])));
  const texts = (await history.read("aa:bb:cc:dd:ee:ff")).map(({ text }) => text);
  expect(texts).toHaveLength(50);
  expect(texts[0]).toBe("1");
  expect(texts.slice(-2).sort()).toEqual(["x", "y"]);
});

test("history: it never exceeds 32 KiB, whatever is said", async () => {
  const history = createHistory(bus);
  for (const text of ["a", "b", "é", "\u0001"])
    await history.append(
      "long",
      Array.from({ length: 4 }, () => ({ role: "user" as const, text: text.repeat(61_000), at: 1 })),
    );
  await history.append("long", [{ role: "user", text: "the last", at: 2 }]);
  const messages = await history.read("long");
  expect(messages.at(-1)?.text).toBe("the last");
  expect(messages.length).toBeGreaterThan(1);
  expect(Buffer.byteLength(JSON.stringify(messages))).toBeLessThan(33_000);
});

test("history: a full bucket refuses new devices quietly, and keeps those that it has", async () => {
  const sizes = { VOXBUS_DEVICE_IN_MB: 16, VOXBUS_TURNS_MB: 16, VOXBUS_BUCKETS_MB: 16 };
  const server = await startNatsServer();
  onTestFinished(() => server.stop());
  const small = await connectTestBus(server.url, { config: sizes });
  const history = createHistory(small);
  const long = Array.from({ length: 7 }, () => ({ role: "user" as const, text: "a".repeat(4000), at: 1 }));
  await Promise.all(Array.from({ length: 300 }, (_, n) => history.append(`d${n}`, long)));
  const kept = await Promise.all(Array.from({ length: 300 }, (_, n) => history.read(`d${n}`)));
  expect(kept.filter((messages) => messages.length > 0).length).toBeGreaterThan(100);
  expect(small.stats().full).toBe(kept.filter((messages) => messages.length === 0).length);
  expect(small.stats().full).toBeGreaterThan(10);
  await small.close();
});
