import type { Bus } from "@voxbus/bus";
import { createRegistry, type Registry } from "@voxbus/presence";
import { connectTestBus, startNatsServer } from "@voxbus/testing";
import { channels, type Command } from "@voxbus/protocol";
import { ConfigError, ListenError, startSubscriber, type Running } from "@voxbus/subscriber";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { buildMonitor, monitor } from "./app.ts";

let nats: Awaited<ReturnType<typeof startNatsServer>>;
let bus: Bus;
let running: Running;
let url: string;
const registries: Registry[] = [];
let epochs = 0;

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  running = await start();
  url = running.addresses["monitor"]!.replace(/\/$/, "");
});
afterEach(async () => {
  for (const registry of registries.splice(0)) await registry.close();
});
afterAll(async () => {
  await running?.stop("quick");
  await bus?.close();
  await nats?.stop();
});

function start(env: Record<string, string> = {}): Promise<Running> {
  return startSubscriber(monitor, buildMonitor, {
    VOXBUS_NATS_URL: nats.url,
    VOXBUS_LOG_LEVEL: "fatal",
    VOXBUS_MONITOR_PORT: "0",
    VOXBUS_MONITOR_OPS_PORT: "0",
    // The tests poll.
    VOXBUS_MONITOR_CALLS_PER_MINUTE: "0",
    ...env,
  });
}

async function openGateway(id: string): Promise<Registry> {
  const load = () => ({ connections: 1, speaking: 0 });
  const registry = await createRegistry(bus, { id, epoch: `epoch-${++epochs}`, address: `ws://${id}:8000/`, load });
  registries.push(registry);
  return registry;
}

async function enter(registry: Registry, device: string, state: "active" | "idle" = "active"): Promise<string> {
  const session = `s-${device.replaceAll(":", "-")}`;
  await registry.enter(
    device,
    { session, since: Date.now(), remote: "127.0.0.1", protocol: 1, features: { mcp: true }, state },
    AbortSignal.timeout(5000),
  );
  return session;
}

async function get(path: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(url + path);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function post(path: string, body: object) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const idsOf = (body: Record<string, unknown>) => (body["devices"] as { id: string }[]).map(({ id }) => id);

/** Resolves once the monitor's own watch shows exactly these devices. */
const shown = (ids: readonly string[]) =>
  vi.waitFor(async () => expect(idsOf((await get("/api/devices")).body)).toEqual(ids), { timeout: 5000 });

test("devices: a device is listed while it is online", async () => {
  const gateway = await openGateway("g1");
  const session = await enter(gateway, "aa:bb:cc:dd:ee:01");
  await shown(["aa:bb:cc:dd:ee:01"]);
  const one = await get("/api/devices/AA:BB:CC:DD:EE:01");
  expect(one.status).toBe(200);
  expect(one.body).toMatchObject({
    id: "aa:bb:cc:dd:ee:01",
    gateway: "g1",
    session,
    term: expect.any(Number),
    remote: "127.0.0.1",
    protocol: 1,
    features: { mcp: true },
    state: "active",
  });
  await gateway.leave("aa:bb:cc:dd:ee:01", session);
  await shown([]);
  expect(await get("/api/devices/aa:bb:cc:dd:ee:01")).toMatchObject({
    status: 404,
    body: { type: "/problems/device-offline", instance: "/api/devices/aa:bb:cc:dd:ee:01" },
  });
});

test("devices: when a gateway's lease is gone, all of its devices are offline, and only those", async () => {
  const [lost, kept] = [await openGateway("g1"), await openGateway("g2")];
  await enter(lost, "d1");
  await enter(lost, "d2");
  await enter(kept, "d3");
  await shown(["d1", "d2", "d3"]);
  await lost.close();
  await shown(["d3"]);
  expect((await get("/api/gateways")).body["gateways"]).toMatchObject([{ id: "g2", draining: false }]);
});

test("devices: pages follow each other without gap or repetition, and filters narrow them", async () => {
  const [one, two] = [await openGateway("g1"), await openGateway("g2")];
  const ids = Array.from({ length: 7 }, (_, index) => `page-${index}`);
  for (const id of ids) await enter(Number(id.at(-1)) % 2 ? two : one, id, id === "page-3" ? "idle" : "active");
  await shown(ids);

  const pages: string[][] = [];
  for (let after: string | undefined = ""; after !== undefined;) {
    const { body } = await get(`/api/devices?limit=3${after && `&after=${after}`}`);
    pages.push(idsOf(body));
    expect(body["online"]).toBe(7);
    after = body["next"] as string | undefined;
  }
  expect(pages.map((page) => page.length)).toEqual([3, 3, 1]);
  expect(pages.flat()).toEqual(ids);

  expect(idsOf((await get("/api/devices?gateway=g2")).body)).toEqual(["page-1", "page-3", "page-5"]);
  expect(idsOf((await get("/api/devices?gateway=g2&state=active")).body)).toEqual(["page-1", "page-5"]);
  expect(idsOf((await get("/api/devices?state=idle")).body)).toEqual(["page-3"]);
  expect(idsOf((await get("/api/devices?gateway=none")).body)).toEqual([]);
});

test.each([
  ["limit=0", "limit"],
  ["limit=1001", "limit"],
  ["limit=x", "limit"],
  ["after=a.b", "after"],
  ["gateway=a:b", "gateway"],
  ["state=closed", "state"],
  ["page=2", "page"],
])("devices: the query %s is refused by name", async (query, field) => {
  const { status, body } = await get(`/api/devices?${query}`);
  expect(status).toBe(400);
  expect(body).toMatchObject({ type: "/problems/bad-field", errors: [{ field }] });
});

test.each(["*", "%3E", "a.b", "a%20b", "x".repeat(65), "%2Fetc", "", "%zz"])(
  "devices: the id '%s' is refused on every path",
  async (id) => {
    const refused = { status: 400, body: { type: "/problems/bad-device-id", status: 400 } };
    expect(await get(`/api/devices/${id}`)).toMatchObject(refused);
    expect(await post(`/api/devices/${id}/say`, { text: "hello" })).toMatchObject(refused);
    expect(await post(`/api/devices/${id}/disconnect`, {})).toMatchObject(refused);
  },
);

test("say: stores an announcement and answers with the session", async () => {
  const session = await enter(await openGateway("g1"), "say-1");
  await shown(["say-1"]);
  const { status, body } = await post("/api/devices/say-1/say", {
    text: "Dinner is ready.",
    emotion: "happy",
    language: "en",
  });
  expect(status).toBe(202);
  expect(body).toEqual({ session, reply: expect.stringMatching(/^[0-9A-HJKMNP-TV-Z]{26}$/) });
  const { messages } = await bus.stored(channels.sayOpen("say-1"), 10);
  expect(messages).toHaveLength(1);
  expect(messages[0]).toEqual({
    reply: body["reply"],
    attempt: 1,
    sentence: 0,
    text: "Dinner is ready.",
    emotion: "happy",
    language: "en",
    last: true,
  });
});

test("say: a device that is offline is refused, and nothing is stored", async () => {
  const { status, body } = await post("/api/devices/nobody/say", { text: "hello" });
  expect(status).toBe(404);
  expect(body).toMatchObject({
    type: "/problems/device-offline",
    status: 404,
    detail: expect.stringContaining("nobody"),
  });
  expect(await bus.stored(channels.sayOpen("nobody"), 10)).toEqual({ messages: [], newest: 0 });
});

test.each([
  [{}, "text"],
  [{ text: " " }, "text"],
  [{ text: "x".repeat(4097) }, "text"],
  [{ text: 1 }, "text"],
  [{ text: "hello", emotion: "smug" }, "emotion"],
  [{ text: "hello", language: "english please" }, "language"],
  [{ text: "hello", voice: "deep" }, "voice"],
])("say: the body %j is refused by field", async (sent, field) => {
  const { status, body } = await post("/api/devices/nobody/say", sent);
  expect(status).toBe(400);
  expect(body).toMatchObject({ type: "/problems/bad-field", errors: [{ field }] });
});

test("disconnect: tells the gateway that holds the device, by its session", async () => {
  const told: Command[] = [];
  const others: Command[] = [];
  bus.subscribe(channels.command("g1"), (command) => void told.push(command));
  bus.subscribe(channels.command("g2"), (command) => void others.push(command));
  await bus.flush();
  await openGateway("g2");
  const session = await enter(await openGateway("g1"), "bye-1");
  await shown(["bye-1"]);
  const { status, body } = await post("/api/devices/bye-1/disconnect", { reason: "maintenance" });
  expect({ status, body }).toEqual({ status: 202, body: { session, gateway: "g1" } });
  await vi.waitFor(() => expect(told).toHaveLength(1));
  expect(told[0]?.body).toEqual({ type: "disconnect", device: "bye-1", session, reason: "requested" });
  expect(others).toEqual([]);
  expect((await post("/api/devices/nobody/disconnect", {})).status).toBe(404);
});

test("health: counts what is online", async () => {
  await enter(await openGateway("g1"), "d1");
  await shown(["d1"]);
  const { status, body } = await get("/api/health");
  expect(status).toBe(200);
  expect(body).toEqual({ status: "ok", devices: 1, gateways: 1, rtt: expect.any(Number) });
});

test("monitor: with a token, the API demands it and the page does not", async () => {
  const guarded = await start({ VOXBUS_MONITOR_TOKEN: "s3cret-0123456789", VOXBUS_MONITOR_HOST: "0.0.0.0" });
  try {
    const address = guarded.addresses["monitor"]!.replace("0.0.0.0", "127.0.0.1");
    const refused = await fetch(`${address}api/devices`);
    expect(refused.status).toBe(401);
    expect(refused.headers.get("www-authenticate")).toContain("Bearer");
    expect(await refused.json()).toMatchObject({ type: "/problems/unauthorized" });
    expect((await fetch(address)).status).toBe(200);
    const headers = { authorization: "Bearer s3cret-0123456789" };
    expect((await fetch(`${address}api/devices`, { headers })).status).toBe(200);
  } finally {
    await guarded.stop("quick");
  }
});

test("monitor: of more calls than it takes in a minute it refuses the rest, and still serves the page, streams and probes", async () => {
  const limited = await start({ VOXBUS_MONITOR_CALLS_PER_MINUTE: "3" });
  const [address, ops] = [limited.addresses["monitor"]!, limited.addresses["ops"]!];
  const left = new AbortController();
  try {
    const stream = await fetch(`${address}api/events`, { signal: left.signal });
    const reader = stream.body!.getReader();
    await reader.read();
    const answers = await Promise.all(Array.from({ length: 5 }, () => fetch(`${address}api/gateways`)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 200, 429, 429, 429]);
    const refused = answers.find(({ status }) => status === 429)!;
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(50);
    expect(Number(refused.headers.get("retry-after"))).toBeLessThanOrEqual(60);
    expect(await refused.json()).toMatchObject({ type: "/problems/too-many-calls", instance: "/api/gateways" });
    expect((await fetch(address)).status).toBe(200);
    expect((await fetch(`${address}problems/too-many-calls`)).status).toBe(200);
    expect((await fetch(new URL("/livez", ops))).status).toBe(200);
    expect(await (await fetch(new URL("/metrics", ops))).text()).toMatch(
      /^voxbus_monitor_refused_calls_total(?:\{.*\})? 3/m,
    );
    // The numbers, every 3 s.
    expect((await reader.read()).value?.length).toBeGreaterThan(0);
  } finally {
    left.abort();
    await limited.stop("quick");
  }
});

test("monitor: does not listen beyond loopback unless it is configured", async () => {
  await expect(start({ VOXBUS_MONITOR_HOST: "0.0.0.0" })).rejects.toThrow(ConfigError);
  await expect(start({ VOXBUS_MONITOR_TOKEN: "short" })).rejects.toThrow("VOXBUS_MONITOR_TOKEN: ");
});

test("monitor: the error names a port that is taken", async () => {
  const port = new URL(url).port;
  await expect(start({ VOXBUS_MONITOR_PORT: port })).rejects.toThrow(ListenError);
  await expect(start({ VOXBUS_MONITOR_PORT: port })).rejects.toThrow(port);
});

test("monitor: reports that NATS is away, and recovers", async () => {
  const own = await startNatsServer();
  const alone = await start({ VOXBUS_NATS_URL: own.url });
  const health = async () => (await fetch(`${alone.addresses["monitor"]}api/health`)).json();
  try {
    expect(await health()).toMatchObject({ status: "ok" });
    own.kill("SIGKILL");
    await vi.waitFor(async () => expect(await health()).toMatchObject({ type: "/problems/bus-away" }), 5000);
    await own.restart();
    await vi.waitFor(async () => expect(await health()).toMatchObject({ status: "ok" }), 10_000);
  } finally {
    await alone.stop("quick");
    await own.stop();
  }
});
