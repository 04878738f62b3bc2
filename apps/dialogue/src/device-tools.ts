import type { Bus } from "@voxbus/bus";
import type { InControlFrame } from "@voxbus/protocol";
import { ToolError, type Tool, type Tools } from "./engines/engine.ts";
import { createMcpClient, type McpSession } from "./mcp-client.ts";
import { createToolCalls } from "./tool-calls.ts";
import { createToolLists } from "./tool-lists.ts";
import type { TurnId } from "./turn-input.ts";

/** The tools of the devices, which their own MCP servers offer. */
export interface DeviceTools {
  /** Handles a control frame of any device. */
  handle(frame: InControlFrame): void;
  /** Resolves with the tools of a session. The device is asked once. Throws ToolError. */
  list(of: McpSession): Promise<readonly Tool[]>;
  /** Gives the tools as one turn calls them. A turn that is started again does not repeat a call. */
  toolsOf(turn: TurnId, list: readonly Tool[]): Tools;
}

/** Creates access to the tools. A device that does not answer within `timeoutMs` has failed. */
export function createDeviceTools(bus: Bus, options: { readonly timeoutMs: number }): DeviceTools {
  const client = createMcpClient(bus, options);
  const lists = createToolLists(bus, client);
  const calls = createToolCalls(bus, client);
  return {
    handle(frame) {
      if (frame.body.type === "closed") lists.forget(frame.session);
      client.handle(frame);
    },
    list: (of) => lists.read(of),
    toolsOf(turn, list) {
      let index = 0;
      return {
        list,
        async call(name, args, signal) {
          if (!list.some((tool) => tool.name === name)) throw new ToolError(`the device has no tool "${name}"`);
          for (;;) {
            index += 1;
            const text = await calls.make(turn, { index, name, args }, signal);
            if (text !== undefined) return text;
          }
        },
      };
    },
  };
}
