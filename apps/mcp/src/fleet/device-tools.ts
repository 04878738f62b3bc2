import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { matchesAny } from "@voxbus/protocol";
import { callDeviceTool, listDeviceTools, ToolCallError, type McpSession } from "@voxbus/subscriber";
import { z } from "zod";
import { answer, deviceField, findDevice, FleetError, type FleetDeps } from "./answer.ts";

const timeoutMs = 10_000;

/** Adds the tools with which an assistant lists and calls the tools of a device: those that are allowed. */
export function addDeviceTools(server: McpServer, deps: FleetDeps): void {
  const isAllowed = (name: string) => matchesAny(name, deps.allowed.deviceTools);
  server.registerTool(
    "list_device_tools",
    {
      description: "Lists the tools of one device, such as its volume, with the JSON Schema of their arguments.",
      annotations: { readOnlyHint: true },
      inputSchema: { device: deviceField },
    },
    ({ device }, { signal }) =>
      answer(deps, "list_device_tools", async () => {
        const tools = await askDevice(deps, device, (of) => listDeviceTools(deps.bus, of, { timeoutMs, signal }));
        return { tools: tools.filter(({ name }) => isAllowed(name)) };
      }),
  );
  server.registerTool(
    "call_device_tool",
    {
      description: "Calls a tool of one device, as list_device_tools describes it.",
      annotations: { readOnlyHint: false },
      inputSchema: {
        device: deviceField,
        tool: z.string().min(1).max(1024).describe("the name of the tool"),
        arguments: z.record(z.string().max(1024), z.unknown()).default({}).describe("its arguments"),
      },
    },
    ({ device, tool, arguments: args }, { signal }) =>
      answer(deps, "call_device_tool", async () => {
        if (!isAllowed(tool)) throw new FleetError("assistants may not call this tool (VOXBUS_MCP_DEVICE_TOOLS)");
        const call = { name: tool, args };
        const result = await askDevice(deps, device, (of) => callDeviceTool(deps.bus, of, call, { timeoutMs, signal }));
        return { result };
      }),
  );
}

/** Finds a device with tools and asks it something. Throws FleetError. */
async function askDevice<T>({ presence }: FleetDeps, id: string, question: (of: McpSession) => Promise<T>): Promise<T> {
  const { device, session, features } = findDevice(presence, id);
  if (features.mcp !== true) throw new FleetError("the device has no tools");
  try {
    return await question({ device, session });
  } catch (error) {
    if (error instanceof ToolCallError) throw new FleetError(error.message, { cause: error });
    throw error;
  }
}
