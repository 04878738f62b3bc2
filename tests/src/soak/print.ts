import type { CrowdTally } from "./crowd.ts";
import type { Sample } from "./sample.ts";
import { bounds, type Growth } from "./verdict.ts";

/** Formats a sample: memory, file handles and timers of each process, and the counts of the server. */
export function formatSample(sample: Sample, began: number, tally: CrowdTally): string {
  const processes = [...sample.processes].map(([name, { held, rss, handles, timers }]) => {
    const memory = held === undefined ? rss.toFixed(0) : `${held.toFixed(1)}/${rss.toFixed(0)}`;
    return `${name} ${memory} MB ${handles} fd${timers === undefined ? "" : ` ${timers} timers`}`;
  });
  const { connections, subscriptions, consumers, stored, keys } = sample;
  const counts = Object.entries(keys).map(([bucket, count]) => `${bucket} ${count}`);
  return [
    `${((sample.at - began) / 60_000).toFixed(1)} min: ${connections} connected, ${tally.left} groups disconnected, ${tally.cut} killed`,
    `  ${processes.join(" | ")}`,
    `  ${subscriptions} subscriptions, ${sumOf(consumers)} consumers, ${stored} messages; keys: ${counts.join(", ")}`,
  ].join("\n");
}

/** Formats the table of a run in Markdown: each process before, with and after the devices, and its growth. */
export function formatTable(options: {
  readonly before: Sample;
  readonly last: Sample;
  readonly after: Sample;
  readonly growth: readonly Growth[];
}): string {
  const { before, last, after, growth } = options;
  const of = (name: string) => [before, last, after].map((sample) => sample.processes.get(name));
  const join = (cells: readonly (string | undefined)[]) => cells.map((cell) => cell ?? "-").join(" → ");
  const slope = (process: string, what: Growth["what"]) => {
    const found = growth.find((one) => one.process === process && one.what === what);
    return found === undefined ? "-" : `${found.perHour.toFixed(1)} ± ${found.error.toFixed(1)}`;
  };
  const rows = [...before.processes.keys()].map((name) => [
    name,
    join(of(name).map((one) => one?.held?.toFixed(1))),
    slope(name, "held"),
    join(of(name).map((one) => one?.rss.toFixed(0))),
    slope(name, "rss"),
    join(of(name).map((one) => one?.handles.toString())),
    join(of(name).map((one) => one?.timers?.toString())),
  ]);
  const counts = {
    connections: (sample: Sample) => sample.connections,
    subscriptions: (sample: Sample) => sample.subscriptions,
    consumers: (sample: Sample) => sumOf(sample.consumers),
  };
  const counted = Object.entries(counts).map(
    ([what, count]) => `${what} ${join([before, last, after].map((sample) => String(count(sample))))}`,
  );
  const keys = Object.keys(before.keys).map(
    (bucket) => `\`${bucket}\` ${join([before, last, after].map((sample) => String(sample.keys[bucket])))}`,
  );
  return [
    "| process | held, MB | MB an hour | resident, MB | MB an hour | file handles | timers |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...rows.map((row) => `| ${row.join(" | ")} |`),
    "",
    `At the server: ${counted.join("; ")}. Keys: ${keys.join(", ")}.`,
  ].join("\n");
}

/** Describes the bounds of the verdict. */
export function describeBounds(): string {
  return (
    `These count as leaks: ${bounds.heldPerHour} MB an hour of growth after a collection or ${bounds.rssPerHour} MB resident, beyond twice the ` +
    `error of the slope; ${bounds.handles} more file handles or ${bounds.timers} more timers of a program, ${bounds.subscriptions} more subscriptions or ` +
    `${bounds.consumers} more consumers after the devices than before; a remaining presence key or connection.`
  );
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
