import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "@nats-io/transport-node";
import { channels } from "@voxbus/protocol";
import { findFreePort, silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterEach, expect, test } from "vitest";
import { connectOwnBus } from "./test-bus.ts";

const servers: NatsServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function startServers(...configs: readonly string[]): Promise<readonly NatsServer[]> {
  servers.push(...(await Promise.all(configs.map((config) => startNatsServer({ config })))));
  return servers;
}

test("connectBus: refused credentials stop the program with a sentence, also against a cluster", async () => {
  const ports = await Promise.all([1, 2, 3].map(() => findFreePort()));
  const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  const nodes = await startServers(
    ...ports.map(
      (port, n) => `server_name: "n${n}"
authorization { user: "voxbus", password: "right" }
cluster { name: "refusing", listen: "127.0.0.1:${port}", routes: [${routes}] }`,
    ),
  );
  // Until the nodes know each other, the first one names no peers.
  const client = await connect({ servers: nodes[0]!.url, user: "voxbus", pass: "right" });
  while ((client.info?.connect_urls?.length ?? 0) < 3) await client.flush();
  await client.close();
  const dialing = connectOwnBus(nodes[0]!.url, { signal: AbortSignal.timeout(5000) });
  await expect(dialing).rejects.toThrow(/^NATS at nats:\/\/127\.0\.0\.1:\d+ cannot be used: /);
});

test("store: a subject without a responder is tried with a pause, and logged", async () => {
  // The stream is there, but what is published on the subject goes elsewhere.
  const [server] = await startServers('mappings = { "device.lost.heard": "elsewhere" }');
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (_: object, message: string) => void warnings.push(message) };
  const bus = await connectOwnBus(server!.url, { log });
  const client = await connect({ servers: server!.url });
  let requests = 0;
  client.subscribe("$JS.API.STREAM.INFO.TURNS", { callback: () => void (requests += 1) });
  await client.flush();
  const heard = { session: "s1", listen: 1, utterance: 1, from: 1, origin: 1, text: "hello", language: "en" };
  const storing = bus.store(channels.heard("lost"), heard, {}, AbortSignal.timeout(3000));
  await expect(storing).rejects.toThrow();
  await client.close();
  expect(bus.stats().retries).toBeGreaterThan(2);
  expect(bus.stats().retries).toBeLessThan(15);
  expect(requests).toBeLessThan(15);
  expect(warnings).toEqual(["stream request failed, retrying"]);
  await bus.close();
});

test("claim: a consumer that exists and does not answer is repaired at most once a second", async () => {
  const [server] = await startServers('mappings = { "$JS.API.CONSUMER.MSG.NEXT.TURNS.mute": "elsewhere" }');
  const bus = await connectOwnBus(server!.url);
  const client = await connect({ servers: server!.url });
  let requests = 0;
  client.subscribe("$JS.API.STREAM.INFO.TURNS", { callback: () => void (requests += 1) });
  await client.flush();
  const claims = await bus.claim({ channel: channels.heard("*"), durable: "mute", slots: 1, work: async () => {} });
  await sleep(2500);
  expect(requests).toBeGreaterThan(2);
  expect(requests).toBeLessThan(15);
  await claims.drain(0);
  await client.close();
  await bus.close();
});
