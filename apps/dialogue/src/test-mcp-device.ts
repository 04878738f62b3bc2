import type { Bus } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";
import { loose } from "@voxbus/testing";
import { ulid } from "ulid";
import { onTestFinished } from "vitest";
import { createDeviceTools, type ToolDeps } from "./device-tools.ts";

/** A JSON-RPC request as a device receives it. */
export interface TestRequest {
  readonly id: number;
  readonly method: string;
  readonly params: Record<string, unknown>;
}

/** Makes a tool as devices list it. */
export function listTool(name: string) {
  return { name, description: name, inputSchema: { type: "object" } };
}

/** Connects a device whose MCP server answers with `answer`, or not at all if that is undefined. */
export function connectMcpDevice(bus: Bus, answer: (request: TestRequest) => object | undefined) {
  const [device, session] = [`test-${ulid()}`, ulid()];
  const requests: TestRequest[] = [];
  let seq = 0;
  const following = bus.subscribe(channels.out(device), ({ kind, body }) => {
    if (kind !== "text" || body.type !== "mcp") return;
    const request = JSON.parse(body.payload) as TestRequest;
    requests.push(request);
    const given = answer(request);
    if (given !== undefined) void respond(request.id, given);
  });
  const respond = (id: number, given: object) => {
    const body = { type: "mcp", payload: JSON.stringify({ jsonrpc: "2.0", id, ...given }) };
    const frame = { session, seq: (seq += 1), at: 0, kind: "control", body };
    return bus.store(loose(channels.inControl(device)), frame);
  };
  onTestFinished(() => following.close());
  return { device, session, origin: 5, requests, answer: respond };
}

/** Creates a dialogue's access to the tools of devices. */
export function createTestTools(bus: Bus, deps: Partial<ToolDeps> = {}) {
  const tools = createDeviceTools(bus, { timeoutMs: 2000, listMs: 2000, ...deps });
  const following = bus.subscribe(channels.inControl("*"), (frame) => tools.handle(frame));
  onTestFinished(() => following.close());
  return tools;
}
