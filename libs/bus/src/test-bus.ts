import { silentLog } from "@voxbus/testing";
import type { Bus } from "./bus.ts";
import type { BusLog } from "./config.ts";
import { connectBus } from "./connect.ts";

/** Connects this package's own bus, from its sources, to the nats-server at `url`. */
export function connectOwnBus(
  url: string,
  { name = "test", log = silentLog, signal }: { name?: string; log?: BusLog; signal?: AbortSignal } = {},
): Promise<Bus> {
  return connectBus({ VOXBUS_NATS_URL: url, VOXBUS_NATS_REPLICAS: 1, name }, log, signal);
}
