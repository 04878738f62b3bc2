import type { Bus } from "@voxbus/bus";
import type { InControlFrame } from "@voxbus/protocol";
import { ToolError, type Tool, type Tools } from "./engines/engine.ts";
import { createMcpClient, type McpSession } from "./mcp-client.ts";
import { createToolCalls, maxCallsPerTurn } from "./tool-calls.ts";
import { createToolLists, type Vision } from "./tool-lists.ts";
import type { TurnId } from "./turn-input.ts";

/** The tools of the devices, which their own MCP servers offer. */
export interface DeviceTools {
  /** Handles a control frame of any device. */
  handle(frame: InControlFrame): void;
  /** Resolves with the tools of a session, as ToolLists does. The device is asked once. */
  list(of: McpSession, signal?: AbortSignal): Promise<readonly Tool[]>;
  /** Gives the tools as one turn calls them. A turn that is started again does not repeat a call. */
  toolsOf(turn: TurnId, list: readonly Tool[]): Tools;
}

/** How long devices may take (ms), what is offered to them, and who is told of odd lists. */
export interface ToolDeps {
  /** A device that does not answer a request within this time has failed. */
  readonly timeoutMs: number;
  /** Turns wait this long for a session's list of tools, from when the device was asked. */
  readonly listMs: number;
  readonly vision?: Vision | undefined;
  /** Called once for a session whose list of tools has fields that are left out, with their paths. */
  readonly onLeftOut?: (of: McpSession, paths: readonly string[]) => void;
}

/** Creates access to the tools. */
export function createDeviceTools(bus: Bus, { timeoutMs, listMs, vision, onLeftOut }: ToolDeps): DeviceTools {
  const client = createMcpClient(bus, { timeoutMs });
  const lists = createToolLists(bus, client, { waitMs: listMs, vision, onLeftOut });
  const calls = createToolCalls(bus, client);
  return {
    handle(frame) {
      if (frame.body.type === "closed") lists.forget(frame.session);
      client.handle(frame);
    },
    list: (of, signal) => lists.read(of, signal),
    toolsOf(turn, list) {
      let index = 0;
      return {
        list,
        async call(name, args, signal) {
          if (!list.some((tool) => tool.name === name)) throw new ToolError(`the device has no tool "${name}"`);
          while (index < maxCallsPerTurn) {
            index += 1;
            const text = await calls.make(turn, { index, name, args }, signal);
            if (text !== undefined) return text;
          }
          throw new ToolError(`a turn makes at most ${maxCallsPerTurn} calls`);
        },
      };
    },
  };
}
