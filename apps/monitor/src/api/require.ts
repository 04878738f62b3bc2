import type { Bus } from "@voxbus/bus";
import type { PresenceView } from "@voxbus/presence";
import type { Presence } from "@voxbus/protocol";
import { Problem } from "../http/problems.ts";

/** The presence of a device that is online. Throws the problem `device-offline`. */
export function requireDevice(presence: PresenceView, id: string): Presence {
  const found = presence.online(id);
  if (!found) throw new Problem("device-offline", `${id} has no open session`);
  return found;
}

/** Throws the problem `bus-away` while NATS cannot be reached. */
export function requireBus(bus: Bus): void {
  if (!bus.connected()) throw new Problem("bus-away", "NATS cannot be reached now; try again");
}

/** True if a device is idle, and its gateway finds out whether it gets what it is sent. */
export function givesReceipts(presence: Presence | undefined): boolean {
  return presence?.audio === "closed" && presence.features.mcp === true;
}
