import type { Bus } from "@voxbus/bus";
import type { InControlFrame } from "@voxbus/protocol";
import { createMcpClient, type McpSession, type TurnId } from "@voxbus/subscriber";
import type { Tool, Tools } from "./engines/engine.ts";
import { createDeviceCalls } from "./tool-calls.ts";
import { createToolLists, type ToolLists, type Vision } from "./tool-lists.ts";
import { createCallRecords, type CallRecords } from "./tools/call-records.ts";
import { combineTools, type ToolSource } from "./tools/turn-tools.ts";

/** The tools of the devices, which their own MCP servers offer. */
export interface DeviceTools {
  /** Handles a control frame of any device. */
  handle(frame: InControlFrame): void;
  /** Resolves with the tools of a session, as ToolLists does. The device is asked once. */
  list(of: McpSession, signal?: AbortSignal): Promise<readonly Tool[]>;
  /**
   * Gives the tools as one turn calls them, with those of other sources. A turn that is started again does not repeat a call.
   * A device gets one call at a time, in order.
   */
  toolsOf(turn: TurnId, list: readonly Tool[], ...others: readonly ToolSource[]): Tools;
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
  /** The records of all calls. Default: those of the bus. */
  readonly records?: CallRecords;
  /** Default: the lists that the devices are asked for. */
  readonly lists?: ToolLists | undefined;
}

/** Creates access to the tools. */
export function createDeviceTools(bus: Bus, deps: ToolDeps): DeviceTools {
  const { timeoutMs, listMs, vision, onLeftOut, records = createCallRecords(bus) } = deps;
  const client = createMcpClient(bus, { timeoutMs });
  const lists = deps.lists ?? createToolLists(bus, client, { waitMs: listMs, vision, onLeftOut });
  const call = createDeviceCalls(bus, client, records);
  return {
    handle(frame) {
      if (frame.body.type === "closed") lists.forget(frame.session);
      client.handle(frame);
    },
    list: (of, signal) => lists.read(of, signal),
    toolsOf(turn, list, ...others) {
      let before: Promise<unknown> = Promise.resolve();
      const device: ToolSource = {
        list,
        make(placed, leave, signal) {
          const made = before.then(() => call(turn, placed, signal));
          before = made.catch(() => undefined).then(leave);
          return made;
        },
      };
      return combineTools([device, ...others], records.placesOf(turn));
    },
  };
}
