/** The statistics of a fleet: latencies in ms by name, failures by kind, and counts. */
export interface FleetStats {
  readonly latencies: ReadonlyMap<LatencyName, readonly number[]>;
  readonly failures: ReadonlyMap<string, number>;
  readonly counts: Record<CountName, number>;
  measure(name: LatencyName, ms: number): void;
  fail(kind: string): void;
}

/** The rows of the latency table, in their order. */
const latencyNames = [
  "connect → hello",
  "end of speech → transcript",
  "end of speech → tts/start",
  "end of speech → first sound",
  "spoken turn, whole",
  "text → tts/start",
  "text → first sound",
  "typed turn, whole",
] as const;
type LatencyName = (typeof latencyNames)[number];

const countNames = ["started", "answered", "lost", "skipped", "misheard", "framesSent", "framesReceived"] as const;
type CountName = (typeof countNames)[number];

/** Creates empty statistics. */
export function createFleetStats(): FleetStats {
  const latencies = new Map<LatencyName, number[]>();
  const failures = new Map<string, number>();
  return {
    latencies,
    failures,
    counts: Object.fromEntries(countNames.map((name) => [name, 0])) as Record<CountName, number>,
    measure(name, ms) {
      const list = latencies.get(name);
      if (list === undefined) latencies.set(name, [ms]);
      else list.push(ms);
    },
    fail: (kind) => void failures.set(kind, (failures.get(kind) ?? 0) + 1),
  };
}

/** Returns the nearest-rank percentile of sorted numbers; `share` is 0 to 1. */
function readPercentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

const labelWidth = 30;
const columnWidth = 9;

/** Formats the final report: latencies, counts, and failures by kind. `loopDelay` is that of the fleet's event loop, in ms. */
export function formatReport(stats: FleetStats, loopDelay: { readonly p99: number; readonly max: number }): string {
  const { counts, failures, latencies } = stats;
  const rows = latencyNames.flatMap((name) => {
    const sorted = (latencies.get(name) ?? []).toSorted((a, b) => a - b);
    if (sorted.length === 0) return [];
    const numbers = [0.5, 0.95, 0.99, 1].map((share) => readPercentile(sorted, share).toFixed(1));
    return [formatRow(name, [String(sorted.length), ...numbers])];
  });
  const misheard = counts.misheard > 0 ? `, ${counts.misheard} misheard` : "";
  return [
    formatRow("ms", ["count", "p50", "p95", "p99", "max"]),
    ...rows,
    "",
    `turns: ${counts.started} started, ${counts.answered} answered, ${counts.lost} lost${misheard}`,
    ...(counts.skipped > 0 ? [`not started, no device was free: ${counts.skipped}`] : []),
    `frames: ${counts.framesSent} sent, ${counts.framesReceived} received`,
    `event loop delay of the fleet: p99 ${loopDelay.p99.toFixed(1)}, max ${loopDelay.max.toFixed(1)} ms`,
    ...(failures.size === 0 ? ["failures: none"] : ["failures:"]),
    ...[...failures].map(([kind, count]) => formatRow(`  ${kind}`, [String(count)])),
  ].join("\n");
}

function formatRow(label: string, cells: readonly string[]): string {
  return label.padEnd(labelWidth) + cells.map((cell) => cell.padStart(columnWidth)).join("");
}
