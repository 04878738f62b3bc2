import type { Bus } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";
import { openMcpDevice, type McpDeviceRequest } from "@voxbus/testing";
import { ulid } from "ulid";
import { onTestFinished } from "vitest";
import { createDeviceTools, type ToolDeps } from "./device-tools.ts";

/** Makes a tool as devices list it. */
export function listTool(name: string) {
  return { name, description: name, inputSchema: { type: "object" } };
}

/** Connects a device whose MCP server answers with `answer`, or not at all if that is undefined. */
export function connectMcpDevice(bus: Bus, answer: (request: McpDeviceRequest) => object | undefined) {
  const [device, session] = [`test-${ulid()}`, ulid()];
  const { requests, respond, close } = openMcpDevice(bus, { device, session }, answer);
  onTestFinished(close);
  return { device, session, origin: 5, requests, answer: respond };
}

/** Creates a dialogue's access to the tools of devices. */
export function createTestTools(bus: Bus, deps: Partial<ToolDeps> = {}) {
  const tools = createDeviceTools(bus, { timeoutMs: 2000, listMs: 2000, ...deps });
  const following = bus.subscribe(channels.inControl("*"), (frame) => tools.handle(frame));
  onTestFinished(() => following.close());
  return tools;
}
