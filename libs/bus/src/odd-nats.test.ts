import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "@nats-io/transport-node";
import { channels } from "@voxbus/protocol";
import {
  findFreePort,
  greetAsNats,
  silentLog,
  startGreeter,
  startNatsServer,
  type Greeter,
  type NatsServer,
} from "@voxbus/testing";
import { afterEach, expect, test, vi } from "vitest";
import type { BusConfig } from "./config.ts";
import { connectOwnBus } from "./test-bus.ts";

const servers: NatsServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

const greeters: Greeter[] = [];
afterEach(() => {
  for (const greeter of greeters.splice(0)) greeter.close();
});

/** Resolves with the message with which the connection to a server that greets with `greeting` fails. */
async function findRefusal(greeting: string, scheme = "nats", config: Partial<BusConfig> = {}): Promise<string> {
  const greeter = await startGreeter(greeting);
  greeters.push(greeter);
  const url = `${scheme}://us3r:s3cret@127.0.0.1:${greeter.port}`;
  const dialing = connectOwnBus(url, { config, streams: [], signal: AbortSignal.timeout(5000) });
  const error: unknown = await dialing.then(
    async (bus) => bus.close(),
    (reason: unknown) => reason,
  );
  expect(scheme === "tls" && greeter.received()).not.toContain("s3cret");
  return String(error).replace(`127.0.0.1:${greeter.port}`, "HOST");
}

test.each([
  ["2.9.10", "it is nats-server 2.9.10: voxbus needs 2.11 or newer"],
  ["2.10.29", "it is nats-server 2.10.29: voxbus needs 2.11 or newer"],
  ["1.4.1", "it is nats-server 1.4.1: voxbus needs 2.11 or newer"],
  ["2.10.0-RC.1", "it is nats-server 2.10.0-RC.1: voxbus needs 2.11 or newer"],
  ["2.11.0", undefined],
  ["2.12.0-beta.2", undefined],
  ["3.0.1", undefined],
  ["nightly-20260101", undefined],
])("connectBus: nats-server %s is refused if it is too old", async (version, problem) => {
  const sentence = await findRefusal(greetAsNats({ version }));
  expect(sentence).toBe(
    problem === undefined ? "undefined" : `NatsSetupError: NATS at nats://HOST cannot be used: ${problem}`,
  );
});

test.each([
  ["a tls:// URL", "tls", {}],
  ["a file of an authority", "nats", { VOXBUS_NATS_CA: "/etc/ssl/certs/ca-certificates.crt" }],
])(
  "connectBus: with %s a server without TLS is refused at once, and gets no credentials",
  async (_, scheme, config) => {
    expect(await findRefusal(greetAsNats(), scheme, config)).toBe(
      "NatsSetupError: NATS at nats://HOST cannot be used: it has no TLS. Enable it there, or use nats:// without VOXBUS_NATS_CA, VOXBUS_NATS_CERT and VOXBUS_NATS_KEY",
    );
  },
);

test.each([
  ["SSH", "SSH-2.0-OpenSSH_9.2\r\n"],
  ["HTTP", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"],
  ["Redis", "-ERR unknown command\r\n"],
  ["an INFO that is not JSON", "INFO {\r\n"],
])("connectBus: a server that speaks another protocol (%s) is refused at once", async (_, greeting) => {
  expect(await findRefusal(greeting)).toBe(
    "NatsSetupError: NATS at nats://HOST cannot be used: it is no NATS server. Check host and port",
  );
});

test("connectBus: an HTTP server, such as the monitoring port of NATS, is refused within seconds", async () => {
  const port = await findFreePort();
  await startServers(`http: "127.0.0.1:${port}"`);
  const dialing = connectOwnBus(`nats://127.0.0.1:${port}`, { streams: [], signal: AbortSignal.timeout(8000) });
  await expect(dialing).rejects.toThrow("it is no NATS server. Check host and port");
});

test.each([
  ["a NATS", "jetstream: false"],
  ["an account", 'accounts { A { users: [ { user: "u", password: "u" } ] } }\nno_auth_user: "u"'],
])("connectBus: %s without JetStream is refused within seconds", async (_, config) => {
  const [server] = await startServers(config);
  await expect(connectOwnBus(server!.url, { signal: AbortSignal.timeout(10_000) })).rejects.toThrow(
    /^JetStream is off: start nats-server with -js, or enable JetStream for this program's account$/,
  );
});

test("connectBus: a clock that is far from that of NATS is reported", async () => {
  const [server] = await startServers("");
  const warnings: object[] = [];
  const log = { ...silentLog, warn: (fields: object, message: string) => void warnings.push({ ...fields, message }) };
  vi.setSystemTime(Date.now() - 3_600_000);
  const bus = await connectOwnBus(server!.url, { log });
  vi.useRealTimers();
  await bus.close();
  expect(warnings).toEqual([
    { aheadMs: expect.closeTo(-3_600_000, -4) as number, message: expect.any(String) as string },
  ]);
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
  client.subscribe("$JS.API.STREAM.INFO.voxbus_TURNS", { callback: () => void (requests += 1) });
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
  const [server] = await startServers(
    'mappings = { "$JS.API.CONSUMER.MSG.NEXT.voxbus_TURNS.voxbus_mute": "elsewhere" }',
  );
  const bus = await connectOwnBus(server!.url);
  const client = await connect({ servers: server!.url });
  let requests = 0;
  client.subscribe("$JS.API.STREAM.INFO.voxbus_TURNS", { callback: () => void (requests += 1) });
  await client.flush();
  const claims = await bus.claim({ channel: channels.heard("*"), durable: "mute", slots: 1, work: async () => {} });
  await sleep(2500);
  expect(requests).toBeGreaterThan(2);
  expect(requests).toBeLessThan(15);
  await claims.drain(0);
  await client.close();
  await bus.close();
});
