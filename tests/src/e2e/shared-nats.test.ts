import { jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startProgram } from "./accounts.ts";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";
import { readSentences, startDevice, type ScriptedDevice } from "./scripted-device.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let nats: NatsServer;
let client: NatsConnection;
let production: LaunchedSystem;
let staging: LaunchedSystem;
const devices: ScriptedDevice[] = [];
/** Another application's bucket with a history, under a name that one of ours has on the page. */
const foreign = { name: "KV_profiles", subjects: ["$KV.profiles.>"], max_msgs_per_subject: 10 };

beforeAll(async () => {
  nats = await startNatsServer();
  client = await connect({ servers: nats.url });
  const manager = await jetstreamManager(client);
  await manager.streams.add({ ...foreign });
  for (const key of ["a", "a", "a", "b", "c", "c"]) await client.request(`$KV.profiles.${key}`, key);
  // Both have gateways of one name: two hosts may have one name too.
  const env = { VOXBUS_NATS_URL: nats.url, VOXBUS_GATEWAY_ID: "hall" };
  [production, staging] = await Promise.all([
    launchSystem({ env }),
    launchSystem({ env: { ...env, VOXBUS_NATS_PREFIX: "staging" } }),
  ]);
});
afterAll(async () => {
  await Promise.all(devices.map((device) => device.end()));
  await Promise.all([production, staging].map((system) => system?.close()));
  await client?.close();
  await nats?.stop();
});

async function join(system: LaunchedSystem, id: string): Promise<ScriptedDevice> {
  const device = await startDevice(system.devices[0]!, id);
  devices.push(device);
  return device;
}
async function ask(system: LaunchedSystem, path: string, method = "GET", body?: object): Promise<Response> {
  const headers = { "content-type": "application/json", "if-match": "0" };
  return fetch(new URL(path, system.monitor), { method, headers, ...(body && { body: JSON.stringify(body) }) });
}

test("two systems on one NATS: devices of one id talk on both at once, and nothing crosses", async () => {
  const pairs = [
    { device: await join(production, "twin"), text: "what is one plus one", answer: "That is 2." },
    { device: await join(staging, "twin"), text: "what is nine times eight", answer: "That is 72." },
  ];
  await Promise.all(
    pairs.map(async ({ device, text, answer }) => {
      await device.do({ do: "text", text });
      expect(readSentences(await device.turn())).toEqual([answer]);
    }),
  );
  await join(staging, "only-staging");
  for (const [system, online] of [
    [production, ["twin"]],
    [staging, ["only-staging", "twin"]],
  ] as const) {
    await vi.waitFor(async () => {
      const { devices: present } = (await (await ask(system, "/api/devices")).json()) as { devices: { id: string }[] };
      expect(present.map(({ id }) => id).toSorted()).toEqual(online);
    });
    const { gateways } = (await (await ask(system, "/api/gateways")).json()) as { gateways: { id: string }[] };
    expect(gateways.map(({ id }) => id)).toEqual(["hall"]);
  }
  expect((await ask(production, "/api/devices/only-staging/say", "POST", { text: "Hello?" })).status).toBe(404);
  expect((await ask(staging, "/api/devices/twin/profile", "PUT", { language: "de" })).status).toBe(200);
  expect(await (await ask(production, "/api/devices/twin/profile")).text()).not.toContain('"de"');
  expect((await ask(staging, "/api/devices/twin/say", "POST", { text: "Dinner is ready." })).status).toBe(202);
  expect(readSentences(await pairs[1]!.device.turn())).toEqual(["Dinner is ready."]);
  // What production says next is the answer to its own question.
  await pairs[0]!.device.do({ do: "text", text: "what is one plus one" });
  expect(readSentences(await pairs[0]!.device.turn())).toEqual(["That is 2."]);
});

test("two systems on one NATS: every name and subject is of one of them, and the bucket of others is as it was", async () => {
  const manager = await jetstreamManager(client);
  const infos = await manager.streams.list().next();
  const names = infos.map(({ config }) => config.name);
  expect(names.filter((name) => !/^(?:KV_)?(?:voxbus|staging)_/.test(name))).toEqual([foreign.name]);
  const { config, state } = await manager.streams.info(foreign.name);
  expect([config, state.messages]).toMatchObject([foreign, 6]);
});

test("a second gateway takes the id of one: npm start names the variable, and does not start it again", async () => {
  const failed = production.awaitLine(/gateway failed and is not restarted/);
  const env = { VOXBUS_NATS_URL: nats.url, VOXBUS_GATEWAY_ID: "hall" };
  const second = await startProgram("apps/gateway/dist/main.js", { name: "second", env });
  await failed;
  expect(production.output()).toMatch(
    /program failed, ending[^]*VOXBUS_GATEWAY_ID|VOXBUS_GATEWAY_ID[^]*program failed, ending/,
  );
  expect(production.processes("apps/gateway/")).toEqual([]);
  expect(second.isRunning()).toBe(true);
  const device = await startDevice(second.addresses["device"]!, "twin");
  await device.do({ do: "text", text: "what is one plus one" });
  expect(readSentences(await device.turn())).toEqual(["That is 2."]);
  await device.end();
  expect(await second.end()).toBe(0);
});
