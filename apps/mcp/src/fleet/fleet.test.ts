import { request } from "node:http";
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import type { Bus } from "@voxbus/bus";
import { createRegistry } from "@voxbus/presence";
import { buckets, channels, type Say, stored } from "@voxbus/protocol";
import { startSubscriber, type Running } from "@voxbus/subscriber";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { buildMcp, mcp } from "../app.ts";
import { callTool, connectAssistant, token } from "./test-fleet.ts";

let nats: NatsServer;
let bus: Bus;
let program: Running;
let url: string;

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  program = await start();
  url = program.addresses["fleet"]!;
  const registry = await createRegistry(bus, { id: "g1", address: "", load: () => ({ connections: 2, speaking: 0 }) });
  for (const device of ["hall", "kitchen"]) {
    const presence = {
      session: `s-${device}`,
      since: 0,
      remote: "",
      protocol: 1,
      features: {},
      state: "active" as const,
    };
    await registry.enter(device, presence, AbortSignal.timeout(5000));
  }
  await bus.bucket(buckets.profiles).put("hall", { group: "ground", language: "de" });
});
afterAll(async () => {
  await program?.stop("quick");
  await bus?.close();
  await nats?.stop();
});

async function start(env: Readonly<Record<string, string>> = {}): Promise<Running> {
  return startSubscriber(mcp, buildMcp, {
    VOXBUS_NATS_URL: nats.url,
    VOXBUS_LOG_LEVEL: "fatal",
    VOXBUS_MCP_PORT: "0",
    VOXBUS_MCP_OPS_PORT: "0",
    VOXBUS_MCP_TOKEN: token,
    VOXBUS_MCP_CALLS_PER_MINUTE: "0",
    ...env,
  });
}

async function connect(at = url): Promise<Client> {
  const { client } = await connectAssistant(at);
  onTestFinished(() => client.close());
  return client;
}

/** Sends a request of its own, with headers that fetch does not let through. */
function post(headers: Readonly<Record<string, string>>, body = "{}", method = "POST", path = "/mcp"): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, url), { method, headers: { "content-type": "application/json", ...headers } });
    sent.on("response", (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const authorization = `Bearer ${token}`;
const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "x", version: "1" } },
});
const accept = "application/json, text/event-stream";

test("fleet: an assistant lists the devices that are online, by group, state and page", async () => {
  const client = await connect();
  const list = async (args = {}) =>
    JSON.parse((await callTool(client, "list_devices", args)).text) as Record<string, any>;
  const ids = async (args = {}) => ((await list(args))["devices"] as { id: string }[]).map(({ id }) => id);
  await vi.waitFor(async () => expect(await ids()).toEqual(["hall", "kitchen"]), { timeout: 5000 });
  await vi.waitFor(async () => expect(await ids({ group: "ground" })).toEqual(["hall"]), { timeout: 5000 });
  expect(await list({ limit: 1 })).toEqual({
    devices: [
      { id: "hall", state: "active", group: "ground", language: "de", onlineSince: "1970-01-01T00:00:00.000Z" },
    ],
    online: 2,
    next: "hall",
  });
  expect(await ids({ after: "hall" })).toEqual(["kitchen"]);
  expect(await ids({ prefix: "KIT" })).toEqual(["kitchen"]);
  expect(await ids({ state: "idle" })).toEqual([]);
});

test("fleet: an assistant has a device say something", async () => {
  const client = await connect();
  const said: Say[] = [];
  const following = bus.subscribe(stored(channels.sayOpen("kitchen")), (say) => void said.push(say));
  onTestFinished(() => following.close());
  await bus.flush();
  const { text } = await callTool(client, "say", { device: "kitchen", text: "Dinner is ready." });
  const { reply } = JSON.parse(text) as { reply: string };
  await vi.waitFor(() => expect(said).toMatchObject([{ reply, text: "Dinner is ready.", last: true }]));
});

test.each([
  ["a device that is away", { device: "attic", text: "x" }, /not online; list_devices/],
  ["an id that no device can have", { device: "a b", text: "x" }, /device-id must be/],
  ["no text", { device: "kitchen", text: " " }, /text/],
  ["a text that is too long", { device: "kitchen", text: "x".repeat(5000) }, /4096/],
  ["an unknown language", { device: "kitchen", text: "x", language: "?" }, /BCP 47/],
])("fleet: say refuses %s", async (_, args, message) => {
  const { text, failed } = await callTool(await connect(), "say", args);
  expect(failed).toBe(true);
  expect(text).toMatch(message);
});

test("fleet: what was said is read only if that is switched on", async () => {
  const turn = {
    session: "s",
    origin: 1,
    at: 0,
    user: "is the door shut",
    calls: [{ name: "door", args: "{}", text: "shut" }],
  };
  const turns = [
    { ...turn, said: ["Yes.", "It is shut."], heard: 1, end: "interrupted" as const },
    { ...turn, origin: 2, user: "thanks", calls: [], said: ["Of course."] },
  ];
  await bus.bucket(buckets.dialogues).put("kitchen", { messages: [], turns });
  const names = async (client: Client) => (await client.listTools()).tools.map(({ name }) => name);
  const client = await connect();
  expect(await names(client)).not.toContain("read_history");
  expect((await callTool(client, "read_history", { device: "kitchen" })).failed).toBe(true);

  const open = await start({ VOXBUS_MCP_TRANSCRIPTS: "1" });
  onTestFinished(() => open.stop("quick"));
  const reader = await connect(String(open.addresses["fleet"]));
  expect(await names(reader)).toContain("read_history");
  const at = "1970-01-01T00:00:00.000Z";
  expect(JSON.parse((await callTool(reader, "read_history", { device: "kitchen" })).text)).toEqual({
    turns: [
      { at, user: "is the door shut", answer: "Yes.", tools: ["door"], end: "interrupted" },
      { at, user: "thanks", answer: "Of course." },
    ],
  });
  expect(JSON.parse((await callTool(reader, "read_history", { device: "hall" })).text)).toEqual({ turns: [] });
});

test("fleet: requests without the token, or with a wrong one, are refused", async () => {
  expect(await post({})).toBe(401);
  expect(await post({ authorization: "Bearer wrong" })).toBe(401);
  expect(await post({ authorization, accept }, initialize)).toBe(200);
});

test("fleet: a page of another site, and a foreign name of this machine, are refused", async () => {
  expect(await post({ authorization, accept, origin: "http://evil.example" }, initialize)).toBe(403);
  expect(await post({ authorization, accept, host: "evil.example" }, initialize)).toBe(403);
  const { host } = new URL(url);
  expect(await post({ authorization, accept, origin: `http://${host}` }, initialize)).toBe(200);
});

test("fleet: requests for anything else are refused by their status", async () => {
  expect(await post({ authorization }, "{}", "POST", "/")).toBe(404);
  expect(await post({ authorization }, "", "PUT")).toBe(405);
  expect(await post({ authorization }, "", "GET")).toBe(400);
  expect(await post({ authorization, accept, "mcp-session-id": "none" }, initialize)).toBe(404);
  expect(await post({ authorization, accept }, "not JSON")).toBe(400);
  expect(await post({ authorization, accept }, '{"jsonrpc":"2.0","id":1,"method":"tools/list"}')).toBe(400);
  expect(await post({ authorization, accept }, " ".repeat(300_000))).toBe(413);
});

test("fleet: with every session taken, the one idle for longest ends", async () => {
  const small = await start({ VOXBUS_MCP_SESSIONS: "2" });
  onTestFinished(() => small.stop("quick"));
  const at = small.addresses["fleet"]!;
  const [first, second] = [await connect(at), await connect(at)];
  await first.listTools();
  const third = await connect(at);
  await expect(second.listTools()).rejects.toThrow("the session has ended");
  expect((await first.listTools()).tools.length).toBeGreaterThan(0);
  expect((await third.listTools()).tools.length).toBeGreaterThan(0);
});

test("fleet: calls beyond the limit of a minute are refused", async () => {
  const slow = await start({ VOXBUS_MCP_CALLS_PER_MINUTE: "2" });
  onTestFinished(() => slow.stop("quick"));
  const client = await connect(String(slow.addresses["fleet"]));
  for (let times = 0; times < 2; times += 1) expect((await callTool(client, "list_devices")).failed).toBe(false);
  expect(await callTool(client, "list_devices")).toEqual({
    text: expect.stringMatching(/^too many calls, try again in \d+ s$/) as string,
    failed: true,
  });
});

test("fleet: a stop does not wait for an assistant that listens", async () => {
  const other = await start();
  await connect(String(other.addresses["fleet"]));
  const began = performance.now();
  await other.stop("quick");
  expect(performance.now() - began).toBeLessThan(3000);
});
