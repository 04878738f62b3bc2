import type { Stats } from "@voxbus/protocol";
import type { Counters } from "./counters.ts";
import { shedOf, submittedOf, waitingIn } from "./pools.ts";
import type { Sample } from "./series.ts";
import { busyPercent, consumerTarget, poolTarget, processTarget, type Snapshot } from "./snapshot.ts";

const maxGauges = 32;

/** Adds a snapshot's reports to `counters`, and makes the samples of the history from it. */
export function takeSamples({ programs, lags, latencies, online }: Snapshot, counters: Counters): readonly Sample[] {
  const samples = programs.flatMap((reports) => sampleProcess(reports, counters));
  counters.retain(new Set(programs.map((reports) => processTarget(reports.at(-1)!))));
  for (const lag of lags) {
    const target = consumerTarget(lag);
    samples.push({ metric: "pending", target, value: lag.pending });
    samples.push({ metric: "held", target, value: lag.held });
    samples.push({ metric: "redelivered", target, value: lag.redelivered });
  }
  samples.push({ metric: "online", target: "fleet", value: online });
  for (const [name, percentiles] of Object.entries(latencies)) {
    if (percentiles === undefined) continue;
    for (const rank of ["p50", "p95", "p99"] as const) {
      samples.push({ metric: `${name}-${rank}`, target: "fleet", value: percentiles[rank] });
    }
  }
  return samples;
}

function sampleProcess(reports: readonly Stats[], counters: Counters): Sample[] {
  const last = reports.at(-1)!;
  const target = processTarget(last);
  counters.add(target, last);
  const perSecond = (total: string) => {
    const growth = counters.growth(target, ({ totals }) => totals[total] ?? 0, 1);
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
  const gauges = Object.entries({ ...last.gauges, queue: waitingIn(last) }).slice(0, maxGauges);
  const own = [...gauges, ...Object.entries(numbers)].flatMap(([metric, value]) =>
    value === undefined ? [] : [{ metric, target, value }],
  );
  return [...own, ...samplePools(last, counters)];
}

function samplePools(stats: Stats, counters: Counters): readonly Sample[] {
  return (stats.pools ?? []).flatMap(({ name, busy, work }) => {
    const target = poolTarget(stats, name);
    const shed = counters.growth(processTarget(stats), shedOf(name), 1)?.by;
    const submitted = counters.growth(processTarget(stats), submittedOf(name), 1)?.by;
    return [
      { metric: "poolBusy", target, value: busy },
      { metric: "poolWaiting", target, value: work.reduce((sum, { waiting }) => sum + waiting, 0) },
      { metric: "poolWaitP95", target, value: Math.max(0, ...work.map(({ waitMs }) => waitMs.p95)) },
      ...(shed === undefined ? [] : [{ metric: "poolShed", target, value: shed / Math.max(1, submitted ?? 0) }]),
    ];
  });
}
