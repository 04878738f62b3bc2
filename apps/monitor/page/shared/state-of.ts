import type { DeviceView, KnownView } from "../../src/live/live.ts";

/** A device of the fleet: what is known of it, and its session if it is online. */
export interface FleetRow {
  readonly id: string;
  readonly known?: KnownView | undefined;
  readonly online?: DeviceView | undefined;
}

/** The state of a device: that of its session, `disabled`, or `offline`. */
export function stateOf({ known, online }: FleetRow): DeviceView["state"] | "offline" | "disabled" {
  if (online) return online.state;
  return known?.allowed === false ? "disabled" : "offline";
}
