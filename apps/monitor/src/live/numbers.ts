import type { PresenceView } from "@voxbus/presence";
import type { Stats } from "@voxbus/protocol";
import type { Bus } from "@voxbus/subscriber";
import type { Alerts } from "../alerts/alerts.ts";
import { listBadMessages } from "../measurements/dropped.ts";
import { readLoad } from "../measurements/load.ts";
import type { Measurements } from "../measurements/measurements.ts";
import { waitingIn } from "../measurements/pools.ts";
import type { ProgramView } from "../measurements/programs.ts";
import { mapChannels } from "../measurements/services.ts";
import { busyPercent, consumerTarget, processTarget } from "../measurements/snapshot.ts";
import type { Shadows } from "../shadows/shadows.ts";
import type { Turns } from "../turns/turns.ts";
import type { AlertView, Numbers, ProgramNumbers, QueueNumbers } from "./live.ts";

const maxAlerts = 100;

/** Dependencies of the numbers. */
export interface NumbersParts {
  readonly bus: Bus;
  readonly presence: PresenceView;
  readonly turns: Turns;
  readonly measurements: Measurements;
  readonly alerts: Alerts;
  readonly shadows: Pick<Shadows, "list">;
  /** The values from which on alerts are raised, by their names. */
  readonly thresholds: Readonly<Record<string, number>>;
}

/** Reads the present numbers of the system from memory. */
export function readNumbers(parts: NumbersParts): Numbers {
  const { bus, presence, turns, measurements, alerts, shadows, thresholds } = parts;
  const { pools, ...load } = readLoad(parts);
  const now = Date.now();
  const services = measurements.services.list();
  const states: Record<string, number> = {};
  let online = 0;
  for (const [, { state }] of presence.devices()) {
    online += 1;
    states[state] = (states[state] ?? 0) + 1;
  }
  return {
    at: now,
    bus: { connected: bus.connected(), rtt: bus.stats().rtt },
    online,
    states,
    rates: turns.rates(now),
    latencies: turns.latencies(now),
    programs: listPrograms(presence, measurements, thresholds),
    services,
    channels: mapChannels(services),
    queues: listQueues(measurements),
    pools: pools.map(({ program, name, slots, busy, all, work }) => ({ program, name, slots, busy, all, work })),
    shadows: shadows.list(),
    ...load,
    alerts: alerts
      .list()
      .slice(0, maxAlerts)
      .map((standing): AlertView => {
        const { raisedAt: _, ...alert } = standing;
        return alert;
      }),
    badMessages: listBadMessages(measurements),
  };
}

/** The processes by their own reports, and gateways without a report by their leases. */
function listPrograms(
  presence: PresenceView,
  { programs }: Measurements,
  thresholds: NumbersParts["thresholds"],
): readonly ProgramNumbers[] {
  const reported = programs.list().map((program) => describeProgram(program, thresholds));
  const known = new Set(reported.filter(({ name }) => name === "gateway").map(({ id }) => id));
  const leased = presence
    .gateways()
    .filter(({ id }) => !known.has(id))
    .map(({ id, draining, since, load }): ProgramNumbers => ({
      name: "gateway",
      id,
      health: draining ? "draining" : "ok",
      since,
      connections: load.connections,
      speaking: load.speaking,
    }));
  return [...leased, ...reported];
}

function describeProgram({ stats, lost }: ProgramView, thresholds: NumbersParts["thresholds"]): ProgramNumbers {
  const { connections, speaking } = stats.gauges;
  return {
    name: stats.program,
    id: stats.id ?? stats.instance,
    health: lost ? "lost" : stats.state === "running" ? "ok" : "draining",
    since: stats.at - stats.uptime,
    memory: stats.rss,
    cpu: busyPercent([stats]),
    loop: stats.loopDelay,
    ...(connections === undefined ? {} : { connections }),
    ...(speaking === undefined ? {} : { speaking }),
    ...describeReaction(stats, thresholds),
  };
}

/** The reaction of a process to a high load. Its cause is the loop delay only if that is high and the memory is not. */
function describeReaction(
  { gauges, rss, loopDelay }: Stats,
  thresholds: NumbersParts["thresholds"],
): Pick<ProgramNumbers, "reaction"> {
  const kind = gauges["refusing"] ? "refusing" : gauges["claimsPaused"] ? "paused" : undefined;
  if (kind === undefined) return {};
  const late = isNear(loopDelay, thresholds["loop-delay"]!) && !isNear(rss, thresholds["memory"]!);
  return { reaction: { kind, cause: late ? "loop-delay" : "memory" } };
}

/** True from a tenth below a threshold on: a process goes on with its reaction until then. */
function isNear(value: number, threshold: number): boolean {
  return value >= threshold * 0.9;
}

function listQueues({ lags, programs }: Measurements): readonly QueueNumbers[] {
  const consumers = lags().map((lag): QueueNumbers => ({ name: consumerTarget(lag), depth: lag.pending }));
  const own = programs.list().flatMap(({ stats }): readonly QueueNumbers[] => {
    const depth = waitingIn(stats);
    return depth === undefined ? [] : [{ name: processTarget(stats), program: stats.program, depth }];
  });
  return [...consumers, ...own];
}
