import type { Bus } from "@voxbus/bus";
import { createRegistry } from "@voxbus/presence";
import { channels } from "@voxbus/protocol";
import { connectTestBus, loose, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { connectAssistant, startFleet, type Assistant } from "./test-fleet.ts";

/** A JSON-RPC request as the device receives it. */
interface DeviceRequest {
  readonly id: number;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

const volume = {
  name: "self.audio_speaker.set_volume",
  description: "Sets the volume.",
  inputSchema: { type: "object" },
};
const camera = { name: "self.camera.take_photo", inputSchema: { type: "object" } };
const session = "s-kitchen";

let nats: NatsServer;
let bus: Bus;
let assistant: Assistant;
let requests: DeviceRequest[] = [];
let answerOf: (request: DeviceRequest) => object | undefined = () => undefined;

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  const registry = await createRegistry(bus, { id: "g1", address: "", load: () => ({ connections: 2, speaking: 0 }) });
  for (const [device, features] of [
    ["kitchen", { mcp: true }],
    ["hall", {}],
  ] as const) {
    const presence = { session: `s-${device}`, since: 0, remote: "", protocol: 1, features, state: "active" as const };
    await registry.enter(device, presence, AbortSignal.timeout(5000));
  }
  let seq = 0;
  bus.subscribe(channels.out("kitchen"), ({ kind, body }) => {
    if (kind !== "text" || body.type !== "mcp") return;
    const request = JSON.parse(body.payload) as DeviceRequest;
    requests.push(request);
    const answer = answerOf(request);
    if (answer === undefined) return;
    const payload = JSON.stringify({ jsonrpc: "2.0", id: request.id, ...answer });
    const frame = { session, seq: (seq += 1), at: 0, kind: "control", body: { type: "mcp", payload } };
    bus.publish(loose(channels.inControl("kitchen")), frame);
  });
  assistant = await startFleet(nats.url);
  await vi.waitFor(async () => expect(JSON.parse((await assistant.call("list_devices")).text).online).toBe(2));
});
afterAll(async () => {
  await assistant?.stop();
  await bus?.close();
  await nats?.stop();
});

test("device tools: those that are allowed are listed, page by page, and called", async () => {
  requests = [];
  answerOf = ({ method, params: { cursor, name, arguments: args } }) => {
    if (method === "tools/call")
      return { result: { content: [{ type: "text", text: `${String(name)} ${JSON.stringify(args)}` }] } };
    if (cursor === "2") return { result: { tools: [{ nothing: true }, camera] } };
    return { result: { tools: [volume], nextCursor: "2" } };
  };
  const { text } = await assistant.call("list_device_tools", { device: "kitchen" });
  expect(JSON.parse(text)).toEqual({ tools: [volume] });
  const args = { volume: 40 };
  const called = await assistant.call("call_device_tool", { device: "kitchen", tool: volume.name, arguments: args });
  expect(JSON.parse(called.text)).toEqual({ result: 'self.audio_speaker.set_volume {"volume":40}' });
  // Dialogue initializes devices, and tells them where pictures are explained.
  expect(requests.map(({ method }) => method)).toEqual(["tools/list", "tools/list", "tools/call"]);
});

test("device tools: one that is not allowed is not called, unless the variable names it", async () => {
  requests = [];
  answerOf = () => ({ result: { content: [{ type: "text", text: "a photo" }] } });
  const photo = { device: "kitchen", tool: camera.name };
  const refused = await assistant.call("call_device_tool", photo);
  expect(refused).toEqual({ text: "assistants may not call this tool (VOXBUS_MCP_DEVICE_TOOLS)", failed: true });
  expect(requests).toEqual([]);
  const open = await startFleet(nats.url, { VOXBUS_MCP_DEVICE_TOOLS: "x, self.*" });
  await vi.waitFor(async () => expect((await open.call("call_device_tool", photo)).text).toBe('{"result":"a photo"}'));
  await open.stop();
});

test.each([
  ["the device refuses", { error: { code: -32_000, message: "too loud" } }, /the device refused: too loud/],
  [
    "the result says so",
    { result: { isError: true, content: [{ type: "text", text: "no" }] } },
    /the device refused: no/,
  ],
])("device tools: a call fails if %s", async (_, answer, message) => {
  answerOf = () => answer;
  const { text, failed } = await assistant.call("call_device_tool", { device: "kitchen", tool: volume.name });
  expect([text, failed]).toEqual([expect.stringMatching(message), true]);
});

test("device tools: a device without tools, and one that is away, are refused", async () => {
  expect((await assistant.call("list_device_tools", { device: "hall" })).text).toBe("the device has no tools");
  expect((await assistant.call("list_device_tools", { device: "attic" })).text).toMatch(/not online/);
});

async function countRefused(): Promise<number> {
  const row = /^voxbus_mcp_fleet_calls_total\{tool="call_device_tool",outcome="refused".*\} (\d+)$/m;
  return Number(row.exec(await assistant.metrics())?.[1] ?? 0);
}

test("device tools: an assistant that gives up ends the wait for the device", async () => {
  const before = await countRefused();
  answerOf = () => undefined;
  requests = [];
  const canceling = new AbortController();
  const { client, stop } = await connectAssistant(assistant.url);
  const hanging = client.callTool(
    { name: "call_device_tool", arguments: { device: "kitchen", tool: volume.name } },
    undefined,
    { signal: canceling.signal },
  );
  await vi.waitFor(() => expect(requests).toHaveLength(1));
  canceling.abort("enough");
  await expect(hanging).rejects.toThrow("enough");
  await vi.waitFor(async () => expect(await countRefused()).toBe(before + 1), { timeout: 5000 });
  await stop();
});
