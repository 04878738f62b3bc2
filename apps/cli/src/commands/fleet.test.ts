import type { Bus } from "@voxbus/bus";
import { createRegistry, type Registry } from "@voxbus/presence";
import { buckets, channels } from "@voxbus/protocol";
import { connectTestBus, silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCliHere, startCli } from "../test-cli.ts";

let nats: NatsServer;
let bus: Bus;
let load = { connections: 2, speaking: 1 };

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

const env = () => ({ VOXBUS_NATS_URL: nats.url });
const openGateway = (id: string, epoch: string): Promise<Registry> =>
  createRegistry(bus, {
    id,
    epoch,
    address: "http://127.0.0.1:8000",
    load: () => load,
    taken: () => undefined,
    superseded: () => undefined,
    log: silentLog,
  });
const lines = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test("devices: lists those online with their gateway, then those that were seen", async () => {
  const gateway = await openGateway("g1", "01J0000000000000000000000A");
  const presence = { session: "s1", since: 5, remote: "10.0.0.9", protocol: 1, features: {}, state: "active" } as const;
  await gateway.enter("kitchen", presence, new AbortController().signal);
  await bus.bucket(buckets.devices).put("attic", { lastSeen: 7, lastReason: "idle", totalOnline: 1 });
  await bus.bucket(buckets.devices).put("kitchen", { lastSeen: 6, lastReason: "", totalOnline: 1 });
  await bus.bucket(buckets.profiles).put("attic", { group: "up" });
  const all = await runCliHere(["devices", "--json"], env());
  expect(all.code).toBe(0);
  expect(lines(all.stdout)).toMatchObject([
    { id: "kitchen", online: true, gateway: "g1", session: "s1" },
    { id: "attic", online: false, lastSeen: 7, groups: ["up"] },
  ]);
  const some = async (...args: readonly string[]) =>
    lines((await runCliHere(["devices", "--json", ...args], env())).stdout);
  expect((await some("--online")).map(({ id }) => id)).toEqual(["kitchen"]);
  expect((await some("--group", "up")).map(({ id }) => id)).toEqual(["attic"]);
  expect((await runCliHere(["devices"], env())).stdout).toMatch(
    /^attic +- +offline +up +- +- +1970-01-01T00:00:00\.007Z$/m,
  );
  await gateway.close();
});

test("gateways drain: asks it to drain, tells every second how many it waits for, and ends when it has stopped", async () => {
  const gateway = await openGateway("hall", "01J0000000000000000000000B");
  expect(lines((await runCliHere(["gateways", "list", "--json"], env())).stdout)).toContainEqual(
    expect.objectContaining({ id: "hall", load }),
  );
  const asked = new Promise((resolve) => bus.subscribe(channels.command("hall"), ({ body }) => resolve(body)));
  await bus.flush();
  const one = startCli(["gateways", "drain", "hall"], env());
  expect(await asked).toEqual({ type: "drain" });
  await one.printed(/(hall: waiting for 2 connections, 1 of them being spoken to\n){2}/);
  load = { connections: 0, speaking: 0 };
  await gateway.close();
  expect(await one.ended).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/\nhall has stopped\n$/),
    stderr: "",
  });
});

test("gateways drain: the next process of the gateway does not count", async () => {
  const first = await openGateway("porch", "01J0000000000000000000000C");
  const one = startCli(["gateways", "drain", "porch", "--json"], env());
  await one.printed(/"stopped":false/);
  await first.close();
  const second = await openGateway("porch", "01J0000000000000000000000D");
  expect(await one.ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/"stopped":true/) });
  await second.close();
});

test("gateways drain: a gateway that does not run, or does not stop, is told apart", async () => {
  const none = await runCliHere(["gateways", "drain", "nowhere"], env());
  expect([none.code, none.stderr]).toEqual([1, expect.stringContaining("nowhere does not run")]);
  const gateway = await openGateway("stuck", "01J0000000000000000000000E");
  const late = await runCliHere(["gateways", "drain", "stuck", "--timeout", "1"], env());
  expect([late.code, late.stderr]).toEqual([1, expect.stringContaining("has not stopped within 1 s")]);
  const left = await runCliHere(["gateways", "drain", "stuck", "--no-wait"], env());
  expect(left.code).toBe(0);
  await gateway.close();
});

test.each([
  [["gateways", "drain"], /ID is missing/],
  [["gateways", "list", "x"], /Unexpected argument "x"/],
  [["gateways", "drain", "a b"], /ID must be|ID/],
  [["gateways", "stop"], /is one of list, drain/],
])("%j is wrong usage", async (args, problem) => {
  const { code, stderr } = await runCliHere(args, env());
  expect([code, stderr]).toEqual([2, expect.stringMatching(problem)]);
});
