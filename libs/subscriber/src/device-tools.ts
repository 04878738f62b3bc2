import type { Bus } from "@voxbus/bus";
import { channels, DeviceTool } from "@voxbus/protocol";
import { z } from "zod";
import { createMcpClient, type McpSession } from "./mcp-client.ts";
import { readResult } from "./tool-result.ts";

const maxPages = 32;
const maxTools = 64;

const Page = z.looseObject({
  tools: z.array(z.unknown()).catch([]),
  nextCursor: z.string().max(1024).nullish().catch(undefined),
});

type Request = (method: string, params: object) => Promise<unknown>;

/** How a device is asked. */
export interface AskOptions {
  /** The longest wait for each answer, ms. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Asks a device for its tools, at most 64. One that cannot be read is left out. Throws ToolCallError if the device refuses, does
 * not answer in time, or `signal` aborts.
 */
export function listDeviceTools(bus: Bus, of: McpSession, options: AskOptions): Promise<readonly DeviceTool[]> {
  return ask(bus, of, options, async (request) => {
    const tools: DeviceTool[] = [];
    let cursor = "";
    for (let page = 0; page < maxPages && tools.length < maxTools; page += 1) {
      const { tools: listed, nextCursor } = Page.parse(await request("tools/list", { cursor }));
      tools.push(...listed.flatMap((tool) => DeviceTool.safeParse(tool).data ?? []));
      if (!nextCursor || nextCursor === cursor) break;
      cursor = nextCursor;
    }
    return tools.slice(0, maxTools);
  });
}

/** Calls a tool of a device, and gives its result as text. Throws as `listDeviceTools`, RefusedCallError if the device refuses. */
export function callDeviceTool(
  bus: Bus,
  of: McpSession,
  call: { readonly name: string; readonly args: Readonly<Record<string, unknown>> },
  options: AskOptions,
): Promise<string> {
  return ask(bus, of, options, async (request) =>
    readResult(await request("tools/call", { name: call.name, arguments: call.args })),
  );
}

/**
 * Asks a device by its own MCP server. Its answers are followed only meanwhile. It is not initialized: dialogue does that, and
 * tells it where pictures are explained.
 */
async function ask<T>(
  bus: Bus,
  of: McpSession,
  { timeoutMs, signal }: AskOptions,
  questions: (request: Request) => Promise<T>,
): Promise<T> {
  const client = createMcpClient(bus, { timeoutMs });
  const following = bus.subscribe(channels.inControl(of.device), (frame) => client.handle(frame));
  try {
    await bus.flush();
    return await questions((method, params) => client.request(of, { method, params }, signal));
  } finally {
    following.close();
  }
}
