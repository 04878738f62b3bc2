import type { PresenceView, Profiles } from "@voxbus/presence";
import { parseDeviceId, ProtocolError, type Presence } from "@voxbus/protocol";
import { BusAwayError, nameCause, type Bus, type Log, type Send } from "@voxbus/subscriber";
import { z } from "zod";

/** The tools that an assistant may be offered. */
export const fleetTools = ["list_devices", "say", "read_history", "list_device_tools", "call_device_tool"] as const;
export type FleetTool = (typeof fleetTools)[number];

/** The ends of an assistant's call. */
export const fleetOutcomes = ["done", "refused", "failed"] as const;
export type FleetOutcome = (typeof fleetOutcomes)[number];

/** A call that is refused, with a sentence for the assistant. */
export class FleetError extends Error {
  override readonly name = "FleetError";
}

/** Dependencies of the fleet's tools. */
export interface FleetDeps {
  readonly bus: Bus;
  readonly send: Send;
  readonly presence: PresenceView;
  readonly profiles: Profiles;
  readonly log: Log;
  readonly allowed: {
    /** True if assistants may read what was said. */
    readonly transcripts: boolean;
    /** Patterns of the devices' tools that assistants may list and call. */
    readonly deviceTools: readonly string[];
  };
  /** Counts a call, or gives the seconds after which one is allowed again. */
  readonly limit: () => number | undefined;
  /** Called after each call. */
  readonly called: (tool: FleetTool, outcome: FleetOutcome) => void;
}

/** The argument that names a device. */
export const deviceField = z.string().max(64).describe("the id of a device, as list_devices gives it");

/** Checks the id of a device. Throws FleetError. */
export function checkId(id: string): string {
  try {
    return parseDeviceId(id);
  } catch (error) {
    if (error instanceof ProtocolError) throw new FleetError(error.message, { cause: error });
    throw error;
  }
}

/** Finds a device that is online. Throws FleetError if it is not. */
export function findDevice(presence: PresenceView, id: string): Presence & { readonly device: string } {
  const device = checkId(id);
  const found = presence.online(device);
  if (found === undefined) throw new FleetError("the device is not online; list_devices names those that are");
  return { ...found, device };
}

/** Answers a call with a value as JSON. An error that is not for the assistant is logged. */
export async function answer(deps: FleetDeps, tool: FleetTool, handle: () => unknown) {
  const { log, limit, called } = deps;
  const wait = limit();
  try {
    if (wait !== undefined) throw new FleetError(`too many calls, try again in ${wait} s`);
    const value = await handle();
    called(tool, "done");
    return { content: [{ type: "text" as const, text: JSON.stringify(value) }] };
  } catch (error) {
    const problem = error instanceof BusAwayError ? new FleetError("the bus is away, try again later") : error;
    const isRefused = problem instanceof FleetError;
    called(tool, isRefused ? "refused" : "failed");
    if (!isRefused) log.error({ tool, cause: nameCause(error) }, "fleet tool failed");
    const text = isRefused ? problem.message : "an unexpected error, see the log of mcp";
    return { content: [{ type: "text" as const, text }], isError: true };
  }
}
