import { setTimeout as sleep } from "node:timers/promises";
import { channels } from "@voxbus/protocol";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openTestGateways, readStats, type TestGateways } from "../test-gateways.ts";

let gateways: TestGateways;

beforeAll(async () => (gateways = await openTestGateways()));
afterAll(() => gateways.stop());

it("drain: a device that hears live audio, such as an intercom's, leaves when the audio is over", async () => {
  const service = await gateways.start();
  const device = await gateways.connect(service, { id: "intercom" });
  const call = () => {
    const body = new Uint8Array([0xf8]);
    gateways.bus.publish(channels.out("intercom"), { kind: "audio", duration: 60, body });
  };
  call();
  await device.binary();
  const timer = setInterval(call, 60);
  const drained = fetch(`${service.addresses["ops"]}/pre-stop`, { method: "POST" });
  await expect.poll(async () => (await fetch(`${service.addresses["ops"]}/readyz`)).status).toBe(503);
  await sleep(1500);
  expect(device.open).toBe(true);
  expect((await readStats(service)).connections).toBe(1);
  clearInterval(timer);
  expect(await device.closed).toEqual({ code: 1012, reason: "restart" });
  expect((await drained).status).toBe(200);
});
