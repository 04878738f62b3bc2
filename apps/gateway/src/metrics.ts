import type { Bus } from "@voxbus/bus";
import type { Context, ReportDetails } from "@voxbus/subscriber";
import { latenessMs, type Counters } from "./observe/counters.ts";
import type { Hub } from "./session/hub.ts";
import { lifeStates } from "./session/state.ts";
import type { Held } from "./limits.ts";

/** Shows what the gateway counts on its operations port. */
export function observe(
  meter: Context["meter"],
  {
    counters,
    hub,
    bus,
    held,
  }: { readonly counters: Counters; readonly hub: Hub; readonly bus: Bus; readonly held: Held },
): void {
  const gauge = (name: string, description: string, read: () => number) =>
    meter.createObservableGauge(name, { description }).addCallback((result) => result.observe(read()));
  const counter = (name: string, description: string, label: string, read: () => Iterable<readonly [string, number]>) =>
    meter.createObservableCounter(name, { description }).addCallback((result) => {
      for (const [value, total] of read()) result.observe(total, { [label]: value });
    });
  const idle = process.memoryUsage().rss;
  const perConnection = () => {
    const connections = hub.connections();
    return connections === 0 ? 0 : Math.max(0, Math.round((process.memoryUsage().rss - idle) / connections));
  };
  meter
    .createObservableGauge("voxbus_gateway_connections", { description: "Open connections" })
    .addCallback((result) => {
      const states = hub.states();
      for (const state of lifeStates) result.observe(states.get(state) ?? 0, { state });
    });
  gauge("voxbus_gateway_held_bytes", "Held for all devices: replies to play, frames to replay", () => held.bytes);
  gauge("voxbus_gateway_waiting_frames", "Frames that wait for NATS", () => hub.waiting());
  gauge("voxbus_gateway_connection_bytes", "Memory over that of an empty gateway, a connection", perConnection);
  gauge("voxbus_gateway_speaking", "Sessions that speak", () => hub.speaking());
  gauge("voxbus_gateway_nats_connected", "1 while NATS answers", () => Number(bus.connected()));
  counter("voxbus_gateway_received_frames", "Frames from devices", "kind", () => Object.entries(counters.received));
  counter("voxbus_gateway_sent_frames", "Frames to devices", "kind", () => Object.entries(counters.sent));
  counter("voxbus_gateway_received_bytes", "Bytes from devices", "kind", () => Object.entries(counters.receivedBytes));
  counter("voxbus_gateway_sent_bytes", "Bytes to devices", "kind", () => Object.entries(counters.sentBytes));
  counter("voxbus_gateway_playout_frames", "Audio frames by lateness, cumulated", "le", () =>
    counters.lateness.map((total, i) => [String(latenessMs[i] ?? "+Inf"), total]),
  );
  meter
    .createObservableCounter("voxbus_gateway_connects", { description: "Connections taken" })
    .addCallback((result) => result.observe(counters.connects));
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

/** Gives the gateway's own numbers for its report on the bus (docs/bus.md, stats). */
export function countForReport({
  counters,
  held,
  hub,
}: {
  readonly counters: Counters;
  readonly held: Held;
  readonly hub: Hub;
}): ReportDetails {
  const sum = (numbers: Readonly<Record<string, number>>) => Object.values(numbers).reduce((a, b) => a + b, 0);
  return {
    gauges: () => ({
      connections: hub.connections(),
      speaking: hub.speaking(),
      queue: hub.waiting(),
      heldBytes: held.bytes,
    }),
    totals: () => ({
      connects: counters.connects,
      framesReceived: sum(counters.received),
      framesSent: sum(counters.sent),
      bytesReceived: sum(counters.receivedBytes),
      bytesSent: sum(counters.sentBytes),
      turns: counters.turnsComplete + counters.turnsFailed,
      turnsFailed: counters.turnsFailed,
      closes: [...counters.closes.values()].reduce((a, b) => a + b, 0),
      zombies: counters.closes.get("heartbeat_timeout") ?? 0,
    }),
    drops: () => counters.drops,
  };
}
