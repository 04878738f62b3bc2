import type { Bus } from "@voxbus/bus";
import type { Presence } from "@voxbus/protocol";
import type { Registry } from "./presence.ts";
import { createRegistry, type RegistryOptions } from "./registry.ts";

/** A signal that never aborts. */
export const never: AbortSignal = new AbortController().signal;

/** Creates the registry of a gateway without load. */
export function register(bus: Bus, id: string, options: Partial<RegistryOptions> = {}): Promise<Registry> {
  const load = () => ({ connections: 0, speaking: 0 });
  return createRegistry(bus, { id, address: "127.0.0.1:0", load, ...options });
}

/** The presence of an active session, as a gateway enters it. */
export function describeSession(session: string): Omit<Presence, "term" | "gateway" | "epoch"> {
  return { session, since: 0, remote: "127.0.0.1", protocol: 1, features: {}, state: "active" };
}
