import { connectBus, type Bus, type BusConfig } from "@voxbus/bus";
import { silentLog } from "./silent-log.ts";

/** Connects to the nats-server at `url` with the defaults of a single server and a silent log. */
export function connectTestBus(
  url: string,
  options: { readonly name?: string; readonly replicas?: number; readonly config?: Partial<BusConfig> } = {},
): Promise<Bus> {
  const { name = "test", replicas = 1, config } = options;
  return connectBus({ VOXBUS_NATS_URL: url, VOXBUS_NATS_REPLICAS: replicas, ...config, name }, silentLog);
}
