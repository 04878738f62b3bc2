import { connectBus, type Bus } from "@voxbus/bus";
import { silentLog } from "./silent-log.ts";

/** Connects to the nats-server at `url` with the defaults of a single server and a silent log. */
export function connectTestBus(
  url: string,
  options: { readonly name?: string; readonly replicas?: number } = {},
): Promise<Bus> {
  const { name = "test", replicas = 1 } = options;
  return connectBus({ VOXBUS_NATS_URL: url, VOXBUS_NATS_REPLICAS: replicas, name }, silentLog);
}
