import type { Bus } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeStats } from "../test-monitor.ts";
import { collectDropped, listBadMessages } from "./dropped.ts";
import { collectPrograms } from "./programs.ts";

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

const told = { at: 10, subject: "device.d1.heard", reason: "bad-envelope", field: "text", limit: "text", count: 2 };

test("dropped: what a program tells of is listed once, the newest first, also if the program reports it too", async () => {
  const parts = { programs: collectPrograms(bus), dropped: collectDropped(bus) };
  await bus.flush();
  bus.publish(channels.stats("python"), makeStats("p1", { program: "python", badMessages: [told] }));
  bus.publish(channels.error("python"), told);
  bus.publish(channels.error("python"), { ...told, subject: "device.d2.heard", count: 1 });
  bus.publish(channels.error("python"), { ...told, subject: "device.d2.heard", at: 11 });
  bus.publish(channels.error("go"), { ...told, at: 12 });
  await expect.poll(() => parts.dropped.list().map(({ program }) => program), { timeout: 10_000 }).toContain("go");
  expect(listBadMessages(parts)).toEqual([
    { ...told, at: 12, program: "go", id: "" },
    { ...told, at: 11, subject: "device.d2.heard", program: "python", id: "" },
    { ...told, program: "python", id: "p1" },
  ]);
  for (const part of Object.values(parts)) part.close();
});

test("dropped: a flood of kinds is bounded", async () => {
  const parts = { programs: { list: () => [] }, dropped: collectDropped(bus) };
  await bus.flush();
  for (let n = 0; n < 500; n += 1) bus.publish(channels.error("python"), { ...told, subject: `s.${n}`, at: n });
  await expect.poll(() => listBadMessages(parts)[0]?.at, { timeout: 10_000 }).toBe(499);
  expect(listBadMessages(parts)).toHaveLength(100);
  expect(parts.dropped.list().length).toBeLessThanOrEqual(200);
  parts.dropped.close();
});
