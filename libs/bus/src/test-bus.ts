import { silentLog } from "@voxbus/testing";
import type { Bus } from "./bus.ts";
import type { BusConfig, BusLog } from "./config.ts";
import { connectBus } from "./connect.ts";

/** Connects this package's own bus, from its sources, to the nats-server at `url`. */
export function connectOwnBus(
  url: string,
  options: {
    readonly name?: string;
    readonly config?: Partial<BusConfig>;
    readonly streams?: readonly [];
    readonly log?: BusLog;
    readonly signal?: AbortSignal;
  } = {},
): Promise<Bus> {
  const { name = "test", config, streams, log = silentLog, signal } = options;
  const all = { VOXBUS_NATS_URL: url, VOXBUS_NATS_REPLICAS: 1, name, ...config };
  return connectBus(streams === undefined ? all : { ...all, streams }, log, signal);
}
