import { createRegistry, type Registry } from "@voxbus/presence";
import { buckets } from "@voxbus/protocol";
import { openMcpDevice, type McpDeviceRequest } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startTestMonitor, type TestMonitor } from "../test-monitor.ts";

let my: TestMonitor;
let registry: Registry;
beforeAll(async () => {
  my = await startTestMonitor();
  registry = await createRegistry(my.bus, {
    id: "g1",
    epoch: "e1",
    address: "",
    load: () => ({ connections: 1, speaking: 0 }),
  });
});
afterAll(async () => {
  await registry?.close();
  await my?.stop();
});

const properties = { volume: { type: "integer", minimum: 0, maximum: 100 } };
const volume = { name: "self.set_volume", description: "Sets the volume", inputSchema: { type: "object", properties } };
const odd = { name: "odd", description: "", inputSchema: { type: "object", $ref: "https://elsewhere.example/" } };
const list = { result: { tools: [volume, odd] } };
const done = { result: { content: [{ type: "text", text: "true" }] } };

let count = 0;
/** Connects a device whose MCP server answers a call with `called`. */
async function connect(called: (request: McpDeviceRequest) => object | undefined, features: object = { mcp: true }) {
  const device = `tools-${(count += 1)}`;
  const session = `s-${device}`;
  const presence = { session, since: 0, remote: "", protocol: 1, features, state: "active" as const };
  await registry.enter(device, presence, AbortSignal.timeout(5000));
  await expect.poll(async () => (await my.ask("GET", `/api/devices/${device}`)).status, { timeout: 5000 }).toBe(200);
  const { requests } = openMcpDevice(my.bus, { device, session }, (request) =>
    request.method === "tools/list" ? list : called(request),
  );
  await my.bus.flush();
  const call = (name: string, body: object = {}) => my.ask("POST", `/api/devices/${device}/tools/${name}`, body);
  return { device, session, call, requests, ask: () => my.ask("GET", `/api/devices/${device}/tools`) };
}

test("device tools: they are listed by the device, or as dialogue has listed them", async () => {
  const { device, session, ask, requests } = await connect(() => done);
  expect(await ask()).toEqual({ status: 200, body: { session, tools: [volume, odd] } });
  await my.bus.bucket(buckets.tools).put(session, [volume]);
  expect((await ask()).body["tools"]).toEqual([volume]);
  expect(requests.filter(({ method }) => method === "tools/list")).toHaveLength(1);
  expect(device).toContain("tools-");
});

test("device tools: a call gets its result, and a POST without a body calls without arguments", async () => {
  const { session, call, requests, device } = await connect(({ params }) => ({
    result: { content: [{ type: "text", text: JSON.stringify(params["arguments"]) }] },
  }));
  expect(await call(volume.name, { arguments: { volume: 40 } })).toEqual({
    status: 200,
    body: { session, result: '{"volume":40}' },
  });
  const response = await fetch(`${my.url}/api/devices/${device}/tools/${volume.name}`, { method: "POST" });
  expect(await response.json()).toEqual({ session, result: "{}" });
  expect(requests.map(({ method }) => method)).toEqual(["tools/list", "tools/call", "tools/call"]);
});

test("device tools: arguments that the schema does not take are refused before the device is asked", async () => {
  const { call, requests } = await connect(() => done);
  const refused = await call(volume.name, { arguments: { volume: 101 } });
  expect(refused).toMatchObject({
    status: 400,
    body: { type: "/problems/bad-field", errors: [{ field: "arguments" }] },
  });
  expect(refused.body["detail"]).toContain("volume");
  expect(requests.filter(({ method }) => method === "tools/call")).toEqual([]);
});

test("device tools: a schema that cannot be read leaves the check to the device", async () => {
  const { call } = await connect(() => done);
  expect((await call("odd", { arguments: { any: [1] } })).status).toBe(200);
});

test("device tools: each way to fail is a problem of its own", async () => {
  const { call, device } = await connect(() => ({ error: { message: "too loud" } }));
  expect(await call("nothing")).toMatchObject({ status: 404, body: { type: "/problems/tool-unknown" } });
  const refused = await call(volume.name);
  expect(refused).toMatchObject({ status: 409, body: { type: "/problems/tool-refused" } });
  expect(refused.body["detail"]).toContain("too loud");
  const silent = await connect(() => undefined);
  const late = await silent.call(volume.name, { timeoutMs: 100 });
  expect(late).toMatchObject({ status: 504, body: { type: "/problems/device-timeout" } });
  const bare = await connect(() => done, {});
  expect(await bare.call(volume.name)).toMatchObject({ status: 409, body: { type: "/problems/no-tools" } });
  expect(await my.ask("GET", "/api/devices/nobody/tools")).toMatchObject({
    status: 404,
    body: { type: "/problems/device-offline" },
  });
  for (const timeoutMs of [0, 1e9, "x"]) {
    const { body } = await my.ask("POST", `/api/devices/${device}/tools/a`, { timeoutMs });
    expect(body).toMatchObject({ type: "/problems/bad-field", errors: [{ field: "timeoutMs" }] });
  }
});

test("device tools: a device that goes away during a call is told at once", async () => {
  const { call, device, requests } = await connect(() => undefined);
  const calling = call(volume.name, { timeoutMs: 60_000 });
  await vi.waitFor(() => expect(requests.some(({ method }) => method === "tools/call")).toBe(true), 5000);
  await registry.leave(device);
  const gone = await calling;
  expect(gone).toMatchObject({ status: 404, body: { type: "/problems/device-offline" } });
  expect(gone.body["detail"]).toContain("went away");
});
