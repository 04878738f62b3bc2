import { setTimeout as sleep } from "node:timers/promises";
import { buckets } from "@voxbus/protocol";
import type { Running } from "@voxbus/subscriber";
import { startTcpProxy } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openTestGateways, readStats, type TestGateways } from "../test-gateways.ts";

let gateways: TestGateways;

beforeAll(async () => {
  gateways = await openTestGateways();
});
afterAll(() => gateways.stop());

const isOnline = (device: string, session: string) =>
  vi.waitFor(() => expect(gateways.view.online(device)?.session).toBe(session), { timeout: 5000 });
/** Reads what a gateway failed with; undefined while it runs. */
const failureOf = (gateway: Running) => Promise.race([gateway.failed, sleep(0)]);
const readiness = (gateway: Running) =>
  fetch(`${gateway.addresses["ops"]}/readyz`).then(({ status }) => status, () => "closed"); // prettier-ignore

test.concurrent(
  "two gateways with one id: the older closes its sessions with 1012, is not ready, and fails by the variable",
  async () => {
    const id = { VOXBUS_GATEWAY_ID: "hall" };
    const older = await gateways.start(id);
    const devices = await Promise.all(["a", "b", "c"].map((device) => gateways.connect(older, { id: device })));
    const newer = await gateways.start(id);
    const closes = await Promise.all(devices.map(({ closed }) => closed));
    expect(closes).toEqual(devices.map(() => ({ code: 1012, reason: "restart" })));
    expect((await older.failed).message).toMatch(/hall.*VOXBUS_GATEWAY_ID/);
    expect(await readiness(older)).not.toBe(200);
    await older.stop("quick");
    // Their devices come back to the newer one, whose lease the older has left alone.
    const back = await gateways.connect(newer, { id: "a" });
    await isOnline("a", back.session);
    expect((await gateways.bus.bucket(buckets.presence).ids()).length).toBeGreaterThan(0);
    expect([await readiness(newer), await failureOf(newer)]).toEqual([200, undefined]);
  },
  20_000,
);

test.concurrent(
  "a gateway was cut off from NATS while its successor started: it fails when it returns, the successor stays",
  async () => {
    const id = { VOXBUS_GATEWAY_ID: "attic" };
    const proxy = await startTcpProxy(gateways.nats.url);
    const cut = await gateways.start({ ...id, VOXBUS_NATS_URL: proxy.url });
    const left = await gateways.connect(cut, { id: "left" });
    proxy.stall();
    const successor = await gateways.start(id);
    const moved = await gateways.connect(successor, { id: "moved" });
    await vi.waitFor(async () => expect((await readStats(cut)).nats).toBe(false), { timeout: 8000 });
    expect(await failureOf(cut)).toBeUndefined();
    proxy.resume();
    expect(await left.closed).toEqual({ code: 1012, reason: "restart" });
    expect((await cut.failed).message).toContain("VOXBUS_GATEWAY_ID");
    await cut.stop("quick");
    await isOnline("moved", moved.session);
    expect([moved.open, await readiness(successor), await failureOf(successor)]).toEqual([true, 200, undefined]);
    proxy.close();
  },
  30_000,
);

test.concurrent(
  "a gateway was cut off while a successor came and went: it goes on",
  async () => {
    const id = { VOXBUS_GATEWAY_ID: "cellar" };
    const proxy = await startTcpProxy(gateways.nats.url);
    const cut = await gateways.start({ ...id, VOXBUS_NATS_URL: proxy.url });
    const device = await gateways.connect(cut, { id: "kept" });
    proxy.stall();
    await vi.waitFor(async () => expect((await readStats(cut)).nats).toBe(false), { timeout: 8000 });
    const successor = await gateways.start(id);
    await successor.stop("quick");
    proxy.resume();
    await isOnline("kept", device.session);
    // Two renewals later it is still there.
    const canary = async () => (await gateways.bus.bucket(buckets.canaries).get("cellar"))?.revision ?? 0;
    for (let renewals = 0, seen = await canary(); renewals < 2; renewals += 1) {
      await vi.waitFor(async () => expect(await canary()).toBeGreaterThan(seen), { timeout: 5000 });
      seen = await canary();
    }
    expect([device.open, await readiness(cut), await failureOf(cut)]).toEqual([true, 200, undefined]);
    proxy.close();
  },
  30_000,
);

test.concurrent(
  "a gateway that is started again at once under its id takes its devices, time after time",
  async () => {
    const id = { VOXBUS_GATEWAY_ID: "porch" };
    for (let n = 0; n < 3; n += 1) {
      const gateway = await gateways.start(id);
      const device = await gateways.connect(gateway, { id: "loyal" });
      await isOnline("loyal", device.session);
      expect(await failureOf(gateway)).toBeUndefined();
      await gateway.stop("quick");
    }
  },
  20_000,
);

test.concurrent(
  "three gateways start at one time with one id: one is left, and says nothing of a failure",
  async () => {
    const id = { VOXBUS_GATEWAY_ID: "shed" };
    const started = await Promise.allSettled([gateways.start(id), gateways.start(id), gateways.start(id)]);
    const running = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    for (const one of started) if (one.status === "rejected") expect(String(one.reason)).toContain("VOXBUS_GATEWAY_ID");
    await vi.waitFor(
      async () => {
        const failures = await Promise.all(running.map(failureOf));
        expect(failures.filter((failure) => failure === undefined)).toHaveLength(1);
      },
      { timeout: 8000 },
    );
  },
  20_000,
);
