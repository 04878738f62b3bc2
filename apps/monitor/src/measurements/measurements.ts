import type { ConsumerLag } from "@voxbus/bus";
import { dropReasons, type Stats } from "@voxbus/protocol";
import type { Latencies } from "../live/live.ts";
import { describeProgram, subjectOf } from "./programs.ts";
import type { RuleName } from "../alerts/rules.ts";
import type { History, Sample } from "./series.ts";
import { fitRise } from "./trend.ts";

/** A number that a rule judges; `what` names the subject for people. An undefined value is not known now. */
export interface Reading {
  readonly rule: RuleName;
  readonly subject: string;
  readonly what: string;
  readonly value: number | undefined;
}

/** Everything that is looked at once. */
export interface Look {
  readonly programs: readonly (readonly Stats[])[];
  readonly lags: readonly ConsumerLag[];
  readonly latencies: Latencies;
  /** The monitor has run for as long as latencies are kept. */
  readonly settled: boolean;
  readonly online: number;
}

/** Over how many points a trend is fitted, and rates are taken. */
export const trendPoints = 10;
// A process that has just started grows anyway.
const settledMs = 60_000;
const fewTurns = 20;
const fewEvents = { zombies: 10, drops: 100, redeliveries: 10 } as const;
const faults = Object.entries(dropReasons).flatMap(([reason, drop]) => (drop.class === "fault" ? [reason] : []));
const maxGauges = 32;

/** What the counters of a process say over the last points. */
interface Counted {
  readonly instance: string;
  readonly at: number;
  readonly totals: Readonly<Record<string, number>>;
  readonly troubles: number;
}

/** Makes numbers of looks: samples for the history, and readings for the rules. */
export interface Readings {
  sample(look: Look): readonly Sample[];
  /** To be asked once the samples of this look are in the history. */
  read(look: Look, history: History): readonly Reading[];
}

/** Creates the readings; they remember the counters of the last points. */
export function createReadings(): Readings {
  const counted = new Map<string, readonly Counted[]>();

  const count = (subject: string, { instance, at, totals, drops }: Stats) => {
    const troubles = faults.reduce((sum, reason) => sum + (drops[reason] ?? 0), 0);
    // Another process under the same id counts from 0 again.
    const before = (counted.get(subject) ?? []).filter((one) => one.instance === instance);
    counted.set(subject, [...before, { instance, at, totals, troubles }].slice(-trendPoints - 1));
  };
  const grown = (subject: string, of: (counted: Counted) => number | undefined, over: number = trendPoints) => {
    const points = counted.get(subject) ?? [];
    const [first, last] = [points.at(-1 - over) ?? points[0], points.at(-1)];
    if (first === undefined || last === undefined || first === last) return undefined;
    return { by: Math.max(0, (of(last) ?? 0) - (of(first) ?? 0)), ms: Math.max(1, last.at - first.at) };
  };

  const sampleProcess = (reports: readonly Stats[]): Sample[] => {
    const last = reports.at(-1)!;
    const subject = subjectOf(last);
    count(subject, last);
    const perSecond = (total: string) => {
      const growth = grown(subject, ({ totals }) => totals[total], 1);
      return growth && (growth.by / growth.ms) * 1000;
    };
    const numbers: Record<string, number | undefined> = {
      memory: last.rss,
      heap: last.heap,
      cpu: busyPercent(reports),
      loopDelay: Math.max(...reports.map(({ loopDelay }) => loopDelay)),
      natsIn: perSecond("received"),
      natsOut: perSecond("sent"),
      bytesIn: perSecond("bytesReceived"),
      bytesOut: perSecond("bytesSent"),
    };
    const given = Object.entries(last.gauges).slice(0, maxGauges);
    return [...given, ...Object.entries(numbers)].flatMap(([metric, value]) =>
      value === undefined ? [] : [{ metric, subject, value }],
    );
  };

  const readProcess = (reports: readonly Stats[], history: History): Reading[] => {
    const last = reports.at(-1)!;
    const subject = subjectOf(last);
    const what = describeProgram(last);
    const { connections, queue } = last.gauges;
    // Few events are none, once they were counted for long enough to say so.
    const full = (counted.get(subject)?.length ?? 0) > trendPoints;
    const share = (events: number | undefined, all: number | undefined, few: number) => {
      if (events === undefined || all === undefined) return undefined;
      if (events < few) return full ? 0 : undefined;
      return events / Math.max(1, all);
    };
    const by = (of: (counted: Counted) => number | undefined) => grown(subject, of)?.by;
    const zombies = by(({ totals }) => totals["zombies"]);
    const frames = by(({ totals }) => (totals["framesReceived"] ?? 0) + (totals["framesSent"] ?? 0));
    const troubles = by(({ troubles }) => troubles);
    const trend = (metric: string) => {
      const points = history.find(metric, subject)?.newest(trendPoints) ?? [];
      const began = Date.now() - last.uptime;
      if (points.length < trendPoints || points[0]![0] - began < settledMs) return undefined;
      return fitRise(points.map(([, value]) => value));
    };
    const values: Partial<Record<RuleName, number | undefined>> = {
      memory: last.rss,
      cpu: busyPercent(reports),
      "memory-trend": trend("memory"),
      "drop-rate": share(troubles, (frames ?? 0) + (troubles ?? 0), fewEvents.drops),
      "redelivery-rate": share(
        by(({ totals }) => totals["redeliveries"]),
        by(({ totals }) => totals["claims"]),
        fewEvents.redeliveries,
      ),
      ...(queue === undefined ? {} : { queue }),
      ...(connections === undefined
        ? {}
        : {
            connections,
            "connections-trend": trend("connections"),
            "zombie-rate": share(zombies, connections + (zombies ?? 0), fewEvents.zombies),
          }),
    };
    return Object.entries(values).map(([rule, value]) => ({ rule: rule as RuleName, subject, what, value }));
  };

  return {
    sample({ programs, lags, latencies, online }) {
      const gone = new Set(counted.keys());
      const samples = programs.flatMap((reports) => {
        gone.delete(subjectOf(reports.at(-1)!));
        return sampleProcess(reports);
      });
      for (const subject of gone) counted.delete(subject);
      for (const lag of lags) {
        const subject = consumerOf(lag);
        samples.push({ metric: "pending", subject, value: lag.pending });
        samples.push({ metric: "held", subject, value: lag.held });
        samples.push({ metric: "redelivered", subject, value: lag.redelivered });
      }
      samples.push({ metric: "online", subject: "fleet", value: online });
      for (const [name, percentiles] of Object.entries(latencies)) {
        if (percentiles === undefined) continue;
        for (const rank of ["p50", "p95", "p99"] as const) {
          samples.push({ metric: `${name}-${rank}`, subject: "fleet", value: percentiles[rank] });
        }
      }
      return samples;
    },
    read({ programs, lags, latencies: { sound }, settled }, history) {
      const enough = sound !== undefined && sound.count >= fewTurns;
      const none = settled ? 0 : undefined;
      const what = "the fleet";
      return [
        ...programs.flatMap((reports) => readProcess(reports, history)),
        ...lags.map((lag): Reading => {
          const { durable, stream, pending } = lag;
          return {
            rule: "queue",
            subject: consumerOf(lag),
            what: `the consumer ${durable} of ${stream}`,
            value: pending,
          };
        }),
        { rule: "first-sound-p95", subject: "fleet", what, value: enough ? sound.p95 : none },
        { rule: "first-sound-p99", subject: "fleet", what, value: enough ? sound.p99 : none },
      ];
    },
  };
}

/** What a durable consumer is called where alerts and histories name it. */
export function consumerOf({ durable, stream }: Pick<ConsumerLag, "durable" | "stream">): string {
  return `${durable.replaceAll(/[^A-Za-z0-9_-]/g, "_")}-${stream}`;
}

/** Mean share of the cores that a process could use, in percent. */
function busyPercent(reports: readonly Stats[]): number {
  const shares = reports.map(({ cpu, cores }) => (cpu / cores) * 100);
  return Math.round((shares.reduce((sum, one) => sum + one, 0) / shares.length) * 10) / 10;
}
