import type { Bus } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";
import type { Running } from "@voxbus/subscriber";
import { connectRaw } from "@voxbus/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  addressOf,
  openTestGateways,
  readStats,
  untilControl,
  watchInbound,
  type TestGateways,
} from "../test-gateways.ts";

let gateways: TestGateways;
let bus: Bus;
let one: Running;

beforeAll(async () => {
  gateways = await openTestGateways();
  ({ bus } = gateways);
  one = await gateways.start();
});
afterAll(() => gateways.stop());

async function readHeld(): Promise<readonly number[]> {
  const { connections, buffered, waiting, wakeups } = await readStats(one);
  return [connections, buffered, waiting, wakeups];
}

it("clock: each session waits for one call, before its hello and after it", async () => {
  await gateways.connect(one, { id: "greeted" });
  await gateways.connect(one, { id: "silent", hello: false });
  const readCalls = async () => {
    const { connections, wakeups } = await readStats(one);
    return [connections, wakeups];
  };
  await expect.poll(readCalls).toEqual([2, 2]);
  await gateways.leaveAll();
  await expect.poll(readCalls).toEqual([0, 0]);
});

it("end: what a device sends after it is published nowhere, and kept nowhere", async () => {
  const inbound = await watchInbound(bus, "late");
  const socket = connectRaw("late", addressOf(one));
  await untilControl(inbound, "opened");
  const text = Buffer.from('{"type":"goodbye"}');
  const goodbye = Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]);
  const audio = Buffer.from([0x82, 0x81, 0, 0, 0, 0, 0xf8]);
  const before = (await readStats(one)).drops["after-end"] ?? 0;
  socket.write(Buffer.concat([goodbye, ...Array.from({ length: 10 }, () => audio), goodbye]));
  await untilControl(inbound, "closed");
  await new Promise((resolve) => socket.write(audio, resolve));
  await expect.poll(async () => (await readStats(one)).drops["after-end"]).toBe(before + 12);
  socket.destroy();
  expect(inbound.all.map(({ kind, body }) => (kind === "control" ? body.type : kind))).toEqual([
    "opened",
    "goodbye",
    "closed",
  ]);
  await expect.poll(readHeld).toEqual([0, 0, 0, 0]);
});

it("end: short connections leave nothing behind, with a hello or without", async () => {
  for (let round = 0; round < 4; round += 1) {
    const devices = Array.from({ length: 50 }, (_, n) =>
      gateways.connect(one, { id: `short-${n}`, ...(n % 2 ? { hello: false } : {}) }),
    );
    await Promise.all(devices);
    await gateways.leaveAll();
  }
  await expect.poll(readHeld).toEqual([0, 0, 0, 0]);
});

it("end: in mid-turn, with replies queued and NATS away, everything is released", async () => {
  const device = await gateways.connect(one, { id: "busy" });
  const inbound = await watchInbound(bus, "busy");
  device.send({ type: "listen", state: "start", mode: "auto" });
  await untilControl(inbound, "listen");
  for (const reply of ["a", "b", "c"])
    for (let n = 0; n < 50; n += 1) {
      const name = { reply, attempt: 1, sentence: 0, n };
      bus.publish(channels.out("busy"), { ...name, kind: "audio", duration: 60, body: new Uint8Array(500) });
    }
  await expect.poll(async () => (await readStats(one)).buffered).toBeGreaterThan(50_000);
  gateways.nats.kill("SIGSTOP");
  await expect.poll(async () => (await readStats(one)).nats, { timeout: 5000 }).toBe(false);
  for (let n = 0; n < 20; n += 1) device.send(new Uint8Array(1000));
  device.send({ type: "abort" });
  await expect.poll(async () => (await readStats(one)).waiting).toBeGreaterThanOrEqual(21);
  device.vanish();
  await expect.poll(async () => (await readStats(one)).connections).toBe(0);
  gateways.nats.kill("SIGCONT");
  await expect.poll(readHeld, { timeout: 10_000 }).toEqual([0, 0, 0, 0]);
});
