import type { PresenceView } from "@voxbus/presence";
import type { Bus } from "@voxbus/subscriber";
import type { Alerts } from "../alerts/alerts.ts";
import type { Measurements } from "../measurements/measurements.ts";
import type { ProgramView } from "../measurements/programs.ts";
import { consumerTarget, processTarget } from "../measurements/snapshot.ts";
import type { Turns } from "../turns/turns.ts";
import type { AlertView, BadMessageView, Numbers, ProgramNumbers, QueueNumbers } from "./live.ts";

const maxAlerts = 100;
const maxBadMessages = 100;

/** Dependencies of the numbers. */
export interface NumbersParts {
  readonly bus: Bus;
  readonly presence: PresenceView;
  readonly turns: Turns;
  readonly measurements: Measurements;
  readonly alerts: Alerts;
}

/** Reads the present numbers of the system from memory. */
export function readNumbers({ bus, presence, turns, measurements, alerts }: NumbersParts): Numbers {
  const now = Date.now();
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
    programs: listPrograms(presence, measurements),
    queues: listQueues(measurements),
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
function listPrograms(presence: PresenceView, { programs }: Measurements): readonly ProgramNumbers[] {
  const reported = programs.list().map(describeProgram);
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

function describeProgram({ stats, lost }: ProgramView): ProgramNumbers {
  const { connections, speaking } = stats.gauges;
  return {
    name: stats.program,
    id: stats.id ?? stats.instance,
    health: lost ? "lost" : stats.state === "running" ? "ok" : "draining",
    since: stats.at - stats.uptime,
    memory: stats.rss,
    cpu: Math.round(stats.cpu * 100),
    loop: stats.loopDelay,
    ...(connections === undefined ? {} : { connections }),
    ...(speaking === undefined ? {} : { speaking }),
  };
}

function listQueues({ lags, programs }: Measurements): readonly QueueNumbers[] {
  const consumers = lags().map((lag): QueueNumbers => ({ name: consumerTarget(lag), depth: lag.pending }));
  const own = programs.list().flatMap(({ stats }): readonly QueueNumbers[] => {
    const { queue } = stats.gauges;
    return queue === undefined ? [] : [{ name: processTarget(stats), program: stats.program, depth: queue }];
  });
  return [...consumers, ...own];
}

/** The messages that processes dropped, by their reports. */
function listBadMessages({ programs }: Measurements): readonly BadMessageView[] {
  return programs
    .list()
    .flatMap(({ stats }) => {
      const { program, id = stats.instance, badMessages = [] } = stats;
      return badMessages.map((message): BadMessageView => ({ ...message, program, id }));
    })
    .sort((a, b) => b.at - a.at)
    .slice(0, maxBadMessages);
}
