import type { Bus } from "@voxbus/bus";
import type { Service } from "@voxbus/service";
import type { gatewayConfig } from "./config.ts";
import type { Counters } from "./counters.ts";
import type { Hub } from "./hub.ts";

/** Shows what the gateway counts on its operations port. */
export function observe(
  meter: Service<typeof gatewayConfig>["meter"],
  { counters, hub, bus }: { readonly counters: Counters; readonly hub: Hub; readonly bus: Bus },
): void {
  const gauge = (name: string, description: string, read: () => number) =>
    meter.createObservableGauge(name, { description }).addCallback((result) => result.observe(read()));
  const counter = (name: string, description: string, label: string, read: () => Iterable<readonly [string, number]>) =>
    meter.createObservableCounter(name, { description }).addCallback((result) => {
      for (const [value, total] of read()) result.observe(total, { [label]: value });
    });
  gauge("voxbus_gateway_connections", "Open connections", () => hub.connections());
  gauge("voxbus_gateway_speaking", "Sessions that speak", () => hub.speaking());
  gauge("voxbus_gateway_nats_connected", "1 while NATS answers", () => Number(bus.connected()));
  counter("voxbus_gateway_received_frames", "Frames from devices", "kind", () => Object.entries(counters.received));
  counter("voxbus_gateway_sent_frames", "Frames to devices", "kind", () => Object.entries(counters.sent));
  counter("voxbus_gateway_dropped_frames", "Frames that were dropped", "reason", () =>
    Object.entries({ ...counters.drops, ...bus.stats().drops }),
  );
  counter("voxbus_gateway_closes", "Sessions closed", "reason", () => counters.closes);
  counter("voxbus_gateway_refusals", "Requests refused", "reason", () => counters.refusals);
  counter("voxbus_gateway_turns", "Turns that ended", "outcome", () => [
    ["complete", counters.turnsComplete],
    ["failed", counters.turnsFailed],
  ]);
}
