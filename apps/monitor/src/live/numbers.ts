import type { AlertView, LiveSources, ProgramNumbers, QueueNumbers } from "./live.ts";
import type { Oversight } from "../alerts/alerting.ts";
import { consumerOf } from "../measurements/measurements.ts";

const shownAlerts = 100;

/** What the page is shown of programs, queues and alerts. */
export function createLiveSources({ programs, lags, alerts }: Oversight): LiveSources {
  return {
    programs: () =>
      programs.list().map(({ stats, lost }): ProgramNumbers => {
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
      }),
    queues: () => {
      const consumers = lags().map((lag): QueueNumbers => ({ name: consumerOf(lag), depth: lag.pending }));
      const own = programs.list().flatMap(({ stats }): readonly QueueNumbers[] => {
        const { queue } = stats.gauges;
        return queue === undefined ? [] : [{ name: stats.id ?? `${stats.program}-${stats.instance}`, depth: queue }];
      });
      return [...consumers, ...own];
    },
    alerts: () =>
      alerts
        .list()
        .slice(0, shownAlerts)
        .map((booked): AlertView => {
          const { raisedAt: _, ...alert } = booked;
          return alert;
        }),
  };
}
