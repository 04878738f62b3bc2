import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Bus, ServiceInfo } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";
import { startSubscriber, type Running } from "@voxbus/subscriber";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { buildMcp, mcp } from "./app.ts";

const directory = mkdtempSync(join(tmpdir(), "voxbus-mcp-"));
const serverPath = fileURLToPath(new URL("servers/test-stdio-server.mjs", import.meta.url));
let nats: NatsServer;
let bus: Bus;
const running: Running[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterEach(async () => {
  for (const program of running.splice(0)) await program.stop("quick");
});
afterAll(async () => {
  rmSync(directory, { recursive: true });
  await bus?.close();
  await nats?.stop();
});

async function start(mcpServers: object, env: Readonly<Record<string, string>> = {}): Promise<Running> {
  const file = join(directory, "servers.json");
  writeFileSync(file, JSON.stringify({ mcpServers }));
  const settings = { VOXBUS_MCP_FILE: file, VOXBUS_MCP_OPS_PORT: "0", VOXBUS_NATS_URL: nats.url };
  const program = await startSubscriber(mcp, buildMcp, { VOXBUS_LOG_LEVEL: "fatal", ...settings, ...env });
  running.push(program);
  return program;
}

/** Follows the tools that services offer, by name. */
async function awaitTools(fits: (tools: ReadonlyMap<string, Readonly<Record<string, string>>>) => void): Promise<void> {
  await vi.waitFor(
    async () => {
      const tools = new Map<string, Readonly<Record<string, string>>>();
      const add = ({ endpoints }: ServiceInfo) =>
        endpoints?.forEach(({ name, metadata }) => tools.set(name, metadata ?? {}));
      const discovery = bus.discover(add);
      onTestFinished(() => discovery.close());
      discovery.ask();
      await vi.waitFor(() => fits(tools), { timeout: 500 });
      discovery.close();
    },
    { timeout: 15_000 },
  );
}

let calls = 0;
const session = "01K6WZ7S5XK4Q0J7M3N8R2T9VA";
const call = (args: Readonly<Record<string, unknown>> = {}) => {
  calls += 1;
  return { id: `${session}:7:${calls}`, device: "kitchen", session, origin: 7, args, deadline: Date.now() + 10_000 };
};
const ask = async (tool: string, args: Readonly<Record<string, unknown>> = {}) =>
  (await bus.request(channels.tool(tool), call(args), { timeoutMs: 10_000 })).text;

const local = (more: object = {}) => ({ command: process.execPath, args: [serverPath], ...more });

test("mcp: the tools of the file's servers are tools of the bus, with their scope", async () => {
  await start({ one: local({ groups: { kids: ["echo"] } }), two: local({ tools: ["echo"], timeoutMs: 4000 }) });
  await awaitTools((tools) => expect([...tools.keys()].sort()).toEqual(["one_echo", "two_echo"]));
  await awaitTools((tools) => {
    expect(tools.get("one_echo")).toMatchObject({ description: "Repeats.", scope: "kids", voxbus: "tool" });
    expect(tools.get("two_echo")).toMatchObject({ timeoutMs: "6000" });
    expect(tools.get("two_echo")?.["scope"]).toBeUndefined();
  });
  expect(await ask("one_echo", { text: "hello" })).toBe("hello");
});

test("mcp: a server's refusal, its death and its return are told to the caller", async () => {
  await start({ one: local() });
  await awaitTools((tools) => expect(tools.has("one_echo")).toBe(true));
  await expect(ask("one_refuse")).rejects.toMatchObject({ reason: "there is no such light", code: 422 });
  await expect(ask("one_echo", { text: 5 })).rejects.toThrow(/Invalid arguments|expected string/);
  await expect(ask("one_die")).rejects.toThrow("the server ended during the call");
  await awaitTools((tools) => expect(tools.has("one_echo")).toBe(true));
  expect(await ask("one_echo", { text: "back" })).toBe("back");
});

test("mcp: a canceled call is canceled at the server, but not that of a tool that finishes", async () => {
  await start({ one: local({ tools: ["hang", "canceled"] }), two: local({ finishes: ["hang"], timeoutMs: 1500 }) });
  await awaitTools((tools) => expect(tools.has("one_hang") && tools.has("two_hang")).toBe(true));
  const canceling = call();
  const finishing = call();
  const canceled = bus.request(channels.tool("one_hang"), canceling, { timeoutMs: 10_000 });
  const finished = bus.request(channels.tool("two_hang"), finishing, { timeoutMs: 10_000 });
  await bus.flush();
  bus.publish(channels.toolCancel("one_hang"), { id: canceling.id });
  bus.publish(channels.toolCancel("two_hang"), { id: finishing.id });
  await expect(canceled).rejects.toThrow("cancelled");
  await vi.waitFor(async () => expect(await ask("one_canceled")).toBe("1"), { timeout: 5000 });
  expect(await ask("two_canceled")).toBe("0");
  await expect(finished).rejects.toThrow("did not answer within 1500 ms");
});

test("mcp: it starts, and is ready, although a server does not", async () => {
  const program = await start({ bad: { command: "/nowhere/server" }, good: local() });
  await awaitTools((tools) => expect(tools.has("good_echo")).toBe(true));
  const answer = await fetch(`${program.addresses["ops"]}/readyz`);
  expect(answer.status).toBe(200);
  const metrics = await (await fetch(`${program.addresses["ops"]}/metrics`)).text();
  expect(metrics).toMatch(/voxbus_mcp_server_connected\{server="bad",.*\} 0/);
  expect(metrics).toMatch(/voxbus_mcp_server_connected\{server="good",.*\} 1/);
});

test("mcp: a bad configuration is refused at the start, with all problems at once", async () => {
  await expect(
    start({ a: { url: "http://x/", headers: { A: "${VOXBUS_TEST_MISSING}" } }, b: {} }),
  ).rejects.toMatchObject({
    problems: [
      "VOXBUS_MCP_FILE: mcpServers.a.headers.A: the environment variable VOXBUS_TEST_MISSING is not set",
      "VOXBUS_MCP_FILE: mcpServers.b: expected either a command or a url",
    ],
  });
  await expect(start({}, { VOXBUS_MCP_FILE: "" })).rejects.toThrow("VOXBUS_MCP_FILE: set it, or VOXBUS_MCP_PORT");
  await expect(start({}, { VOXBUS_MCP_PORT: "0", VOXBUS_MCP_HOST: "0.0.0.0" })).rejects.toThrow(
    "VOXBUS_MCP_HOST: 0.0.0.0 is open to the network: set VOXBUS_MCP_TOKEN",
  );
});
