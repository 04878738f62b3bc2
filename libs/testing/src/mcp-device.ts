import type { Bus, Closer } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";
import { loose } from "./loose.ts";

/** A JSON-RPC request as a device receives it. */
export interface McpDeviceRequest {
  readonly id: number;
  readonly method: string;
  readonly params: Record<string, unknown>;
}

/** The MCP server of a device. */
export interface McpDevice extends Closer {
  readonly requests: readonly McpDeviceRequest[];
  /** Answers the request with this id. */
  respond(id: number, given: object): Promise<unknown>;
}

/** Answers as the MCP server of a device, or not at all where `answer` gives undefined. */
export function openMcpDevice(
  bus: Bus,
  { device, session }: { readonly device: string; readonly session: string },
  answer: (request: McpDeviceRequest) => object | undefined,
): McpDevice {
  const requests: McpDeviceRequest[] = [];
  let seq = 0;
  const respond = (id: number, given: object) => {
    const body = { type: "mcp", payload: JSON.stringify({ jsonrpc: "2.0", id, ...given }) };
    const frame = { session, seq: (seq += 1), at: 0, kind: "control", body };
    return bus.store(loose(channels.inControl(device)), frame);
  };
  const following = bus.subscribe(channels.out(device), ({ kind, body }) => {
    if (kind !== "text" || body.type !== "mcp") return;
    const request = JSON.parse(body.payload) as McpDeviceRequest;
    requests.push(request);
    const given = answer(request);
    if (given !== undefined) void respond(request.id, given);
  });
  return { requests, respond, close: () => following.close() };
}
