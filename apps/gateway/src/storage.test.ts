import { startSubscriber } from "@voxbus/subscriber";
import { openTestDevice, startNatsServer } from "@voxbus/testing";
import { expect, onTestFinished, test } from "vitest";
import { buildGateway, gateway } from "./app.ts";
import { addressOf, readStats } from "./test-gateways.ts";

const account = (jetstream: string): string =>
  `accounts { A { jetstream: ${jetstream}, users: [{ user: "a", password: "a" }] } }
no_auth_user: "a"`;

test("gateway: while NATS does not store, it is not ready and admits no new device; devices that are here stay", async () => {
  const nats = await startNatsServer({ config: account("enabled") });
  onTestFinished(() => nats.stop());
  const env = {
    VOXBUS_LOG_LEVEL: "fatal",
    VOXBUS_GATEWAY_PORT: "0",
    VOXBUS_GATEWAY_OPS_PORT: "0",
    VOXBUS_NATS_URL: nats.url,
  };
  const running = await startSubscriber(gateway, buildGateway, env);
  const ready = async () => (await fetch(`${running.addresses["ops"]}/readyz`)).json() as Promise<object>;
  const device = await openTestDevice(addressOf(running), { id: "here" });
  expect(await ready()).toEqual({ ready: true, failing: [] });

  const offAt = performance.now();
  nats.reload(account("disabled"));
  await expect.poll(ready, { timeout: 5000 }).toEqual({ ready: false, failing: ["streams"] });
  expect(performance.now() - offAt).toBeLessThan(5000);
  await expect(openTestDevice(addressOf(running), { id: "late" })).rejects.toThrow("503");
  expect(await readStats(running)).toMatchObject({ nats: true, connections: 1, refusals: { "bus-away": 1 } });

  nats.reload(account("enabled"));
  await expect.poll(ready, { timeout: 8000 }).toEqual({ ready: true, failing: [] });
  const late = await openTestDevice(addressOf(running), { id: "late" });
  expect(await readStats(running)).toMatchObject({ connections: 2 });
  for (const one of [late, device]) one.vanish();
  await running.stop("quick");
});
