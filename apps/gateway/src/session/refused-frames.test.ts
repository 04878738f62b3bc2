import { channels, type BadMessage, type Outbound } from "@voxbus/protocol";
import type { Running } from "@voxbus/subscriber";
import { createInbox, openAudio } from "@voxbus/testing";
import { ulid } from "ulid";
import { afterAll, beforeAll, expect, test } from "vitest";
import { announce, openMqttStage, packet, type MqttStage } from "../mqtt/test-mqtt.ts";
import { readStats } from "../test-gateways.ts";

let gateways: MqttStage;
let gateway: Running;
const errors = createInbox<BadMessage>();

beforeAll(async () => {
  gateways = await openMqttStage();
  gateway = gateways.one;
  gateways.bus.subscribe(channels.error("gateway"), (message) => errors.put(message));
  await gateways.bus.flush();
});
afterAll(() => gateways.stop());

const alert = (message: string) => ({ type: "alert" as const, status: "Door", message, emotion: "neutral" });
const name = { reply: "r1", sentence: 0 };
const end = { kind: "control" as const, body: { type: "end" as const } };
const refused: readonly (readonly [string, readonly Outbound[], string, string])[] = [
  ["oversize", [{ kind: "text", body: alert("x".repeat(8192)) }], "body", "must be at most 8192 bytes of JSON"],
  [
    "other-session",
    [{ session: "another", kind: "text", body: alert("Someone rings.") }],
    "session",
    "must be the open session, or left out",
  ],
  [
    "future-origin",
    [{ origin: 4_000_000_000, kind: "audio", duration: 60, body: Uint8Array.of(1) }],
    "origin",
    "must be at most the session's newest seq",
  ],
  [
    "future-origin",
    [{ kind: "control", body: { type: "barge-in", seq: 4_000_000_000 } }],
    "body.seq",
    "must be at most the session's newest seq",
  ],
  [
    "stale-attempt",
    [
      { ...name, ...end, attempt: 2, n: 0 },
      { ...name, ...end, attempt: 1, n: 1 },
    ],
    "attempt",
    "must be at least the reply's newest attempt",
  ],
];

test.each(refused)("a frame that is dropped as %s is counted and told: %j", async (reason, frames, field, limit) => {
  const id = `told-${reason}-${field.replace(".", "-")}`;
  const device = await gateways.connect(gateway, { id });
  const before = (await readStats(gateway)).drops[reason] ?? 0;
  for (const frame of frames) gateways.bus.publish(channels.out(id), frame);
  const subject = channels.out(id).subject;
  const told = await errors.find((message) => message.subject === subject);
  expect(told).toEqual({ at: expect.any(Number), subject, reason, field, limit, count: 1 });
  expect((await readStats(gateway)).drops[reason]).toBe(before + 1);
  expect(device.open).toBe(true);
});

test("a frame of the session before, which was on its way, is only counted", async () => {
  const id = "told-before";
  await gateways.connect(gateway, { id });
  const dropped = async () => (await readStats(gateway)).drops["other-session"] ?? 0;
  const before = await dropped();
  const send = (sessionAt: number) => {
    const body = alert("Someone rings.");
    gateways.bus.publish(channels.out(id), { session: ulid(sessionAt), kind: "text", body });
  };
  const { subject } = channels.out(id);
  send(Date.now() - 3_600_000);
  await expect.poll(dropped).toBe(before + 1);
  await gateways.bus.flush();
  expect(errors.items.filter((error) => error.subject === subject)).toEqual([]);
  send(Date.now() + 3_600_000);
  expect(await errors.find((error) => error.subject === subject)).toMatchObject({ reason: "other-session" });
});

test("a frame for all devices that is too large is told once, and not for each device", async () => {
  for (const id of ["told-fleet-1", "told-fleet-2"]) await gateways.connect(gateway, { id });
  gateways.bus.publish(channels.fleetOut(), { kind: "text", body: alert("x".repeat(8192)) });
  const told = await errors.find(({ subject }) => subject === channels.fleetOut().subject);
  expect(told).toMatchObject({ reason: "oversize", field: "body", count: 1 });
  expect(errors.items.filter(({ subject }) => subject.includes("told-fleet"))).toEqual([]);
});

test("a packet that fits into no datagram is counted and told", async () => {
  const device = await gateways.online("told-datagram");
  const audio = await openAudio(device);
  audio.send(packet);
  gateways.publish("told-datagram", announce("a1", "Dinner is ready."));
  await audio.until(1);
  gateways.publish("told-datagram", [{ kind: "audio", duration: 60, body: new Uint8Array(4000) }]);
  const told = await errors.find(({ subject }) => subject === "device.told-datagram.out");
  expect(told).toMatchObject({
    reason: "oversize",
    field: "body",
    limit: expect.stringMatching(/at most \d{4} bytes/),
  });
  audio.close();
});
