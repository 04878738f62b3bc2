import type { Bus } from "@voxbus/bus";
import { closeCodes, refusals, turnOutcomes, type TurnOutcome } from "@voxbus/protocol";
import { createMemoryReader, type Context, type ReportDetails } from "@voxbus/subscriber";
import type { Limits } from "./limits.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { MemoryGuard } from "./memory-guard.ts";
import { latenessMs, type Counters } from "./observe/counters.ts";
import type { TimingWheel } from "./playout/clock.ts";
import type { SessionTable } from "./session/session-table.ts";
import { lifeStates } from "./session/state.ts";

const outcomes = Object.keys(turnOutcomes) as TurnOutcome[];
const closes = [...Object.keys(closeCodes), "gone"];
const failures = outcomes.filter((outcome) => turnOutcomes[outcome].class === "fault");

/** The parts of the gateway that are measured. */
export interface Measured {
  readonly bus: Bus;
  readonly counters: Counters;
  readonly memory: MemoryBudget;
  readonly sessions: SessionTable;
  readonly wheel: Pick<TimingWheel, "waiting">;
  readonly guard: Pick<MemoryGuard, "refusing">;
  readonly overloaded: () => boolean;
}

/** Shows the gateway's counts on its operations port. */
export function observe(
  meter: Context["meter"],
  { bus, counters, memory, sessions, wheel, guard, overloaded }: Measured,
): void {
  const gauge = (name: string, description: string, read: () => number) =>
    meter.createObservableGauge(name, { description }).addCallback((result) => result.observe(read()));
  const counter = (name: string, description: string, label: string, read: () => Iterable<readonly [string, number]>) =>
    meter.createObservableCounter(name, { description }).addCallback((result) => {
      for (const [value, total] of read()) result.observe(total, { [label]: value });
    });
  const readMemory = createMemoryReader();
  const empty = readMemory();
  const perConnection = () => {
    const connections = sessions.connections();
    return connections === 0 ? 0 : Math.max(0, Math.round((readMemory() - empty) / connections));
  };
  meter
    .createObservableGauge("voxbus_gateway_connections", { description: "Open connections" })
    .addCallback((result) => {
      const states = sessions.states();
      for (const state of lifeStates) result.observe(states.get(state) ?? 0, { state });
    });
  gauge(
    "voxbus_gateway_buffered_bytes",
    "Buffered for all devices: replies, frames for replay and for NATS",
    () => memory.bytes,
  );
  gauge("voxbus_gateway_waiting_frames", "Frames that wait for NATS", () => sessions.waiting());
  gauge("voxbus_gateway_wakeups", "Calls of sessions that are due later", () => wheel.waiting());
  gauge("voxbus_gateway_memory_refusing", "1 while devices are refused for memory", () => Number(guard.refusing()));
  gauge("voxbus_gateway_loop_refusing", "1 while devices are refused for the event loop's delay", () =>
    Number(overloaded()),
  );
  gauge("voxbus_gateway_connection_bytes", "Memory beyond an empty gateway's, per connection", perConnection);
  gauge("voxbus_gateway_idle_connections", "Connections of MQTT devices that have no conversation", () =>
    sessions.idle(),
  );
  gauge("voxbus_gateway_speaking", "Sessions that speak", () => sessions.speaking());
  gauge("voxbus_gateway_nats_connected", "1 while NATS answers", () => Number(bus.connected()));
  counter("voxbus_gateway_received_frames", "Frames from devices", "kind", () => Object.entries(counters.received));
  counter("voxbus_gateway_sent_frames", "Frames to devices", "kind", () => Object.entries(counters.sent));
  counter("voxbus_gateway_received_bytes", "Bytes from devices", "kind", () => Object.entries(counters.receivedBytes));
  counter("voxbus_gateway_sent_bytes", "Bytes to devices", "kind", () => Object.entries(counters.sentBytes));
  counter("voxbus_gateway_playout_frames", "Audio frames by lateness, cumulated", "le", () =>
    counters.lateness.map((total, i) => [String(latenessMs[i] ?? "+Inf"), total]),
  );
  const total = (name: string, description: string, read: () => number) =>
    meter.createObservableCounter(name, { description }).addCallback((result) => result.observe(read()));
  total("voxbus_gateway_connects", "Connections accepted", () => counters.connects);
  total(
    "voxbus_gateway_missing_audio",
    "Audio channels through which no sound came, though it was awaited",
    () => counters.missingAudio,
  );
  counter("voxbus_gateway_dropped_frames", "Frames dropped", "reason", () =>
    Object.entries(countDrops({ counters, bus })),
  );
  counter("voxbus_gateway_closes", "Sessions closed", "reason", () => from0(closes, counters.closes));
  counter("voxbus_gateway_errors", "Errors of the gateway itself", "class", () => Object.entries(counters.errors));
  counter("voxbus_gateway_refusals", "Requests refused", "reason", () =>
    from0(Object.keys(refusals), counters.refusals),
  );
  counter("voxbus_gateway_busy_notices", "Devices told that a turn waits, or that it was shed", "kind", () =>
    Object.entries(counters.notices),
  );
  counter("voxbus_gateway_turns", "Turns that ended", "outcome", () => Object.entries(counters.turns));
}

/** Adds the drops of the sessions and those of the bus, by reason. */
function countDrops({ counters, bus }: Pick<Measured, "counters" | "bus">): Readonly<Record<string, number>> {
  const sums: Record<string, number> = { ...counters.drops };
  for (const [reason, count] of Object.entries(bus.stats().drops)) sums[reason] = (sums[reason] ?? 0) + count;
  return sums;
}

/** Gives the counts of `names` and of those in `counted`. A name that was not counted yet has 0. */
function from0(names: readonly string[], counted: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map([...names.map((name) => [name, 0] as const), ...counted]);
}

/** Gives the gateway's own numbers for its report on the bus (docs/bus.md, stats). */
export function countForReport({
  counters,
  memory,
  sessions,
  limits,
  guard,
  overloaded,
}: Omit<Measured, "bus" | "wheel"> & {
  readonly limits: Pick<Limits, "connections" | "idleConnections">;
}): ReportDetails {
  const sum = (numbers: Iterable<number>) => [...numbers].reduce((total, one) => total + one, 0);
  return {
    gauges: () => ({
      connections: sessions.connections(),
      idleConnections: sessions.idle(),
      maxConnections: limits.connections,
      maxIdleConnections: limits.idleConnections,
      speaking: sessions.speaking(),
      queue: sessions.waiting(),
      bufferedBytes: memory.bytes,
      refusing: Number(guard.refusing() || overloaded()),
    }),
    totals: () => ({
      connects: counters.connects,
      framesReceived: sum(Object.values(counters.received)),
      framesSent: sum(Object.values(counters.sent)),
      bytesReceived: sum(Object.values(counters.receivedBytes)),
      bytesSent: sum(Object.values(counters.sentBytes)),
      turns: sum(Object.values(counters.turns)),
      turnsFailed: sum(failures.map((outcome) => counters.turns[outcome])),
      turnsShed: counters.turns.shed,
      closes: sum(counters.closes.values()),
      zombies: counters.closes.get("heartbeat_timeout") ?? 0,
    }),
    drops: () => counters.drops,
  };
}

/** Makes the answer of `GET /ws/stats`: the numbers of the gateway `id`. */
export function createStats(id: string, { bus, counters, memory, sessions, wheel }: Measured): () => object {
  const started = Date.now();
  const readMemory = createMemoryReader();
  return () => ({
    gateway: id,
    uptime: Math.round((Date.now() - started) / 1000),
    connections: sessions.connections(),
    idle: sessions.idle(),
    speaking: sessions.speaking(),
    nats: bus.connected(),
    memory: readMemory(),
    buffered: memory.bytes,
    waiting: sessions.waiting(),
    wakeups: wheel.waiting(),
    received: counters.received,
    sent: counters.sent,
    turns: counters.turns,
    notices: counters.notices,
    missingAudio: counters.missingAudio,
    drops: countDrops({ counters, bus }),
    errors: counters.errors,
    closes: Object.fromEntries(counters.closes),
    refusals: Object.fromEntries(counters.refusals),
  });
}
