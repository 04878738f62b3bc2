import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { expect, it } from "vitest";
import { startAtZero } from "./start-at-zero.ts";

function createMeter() {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const meter = new MeterProvider({ readers: [exporter] }).getMeter("test");
  const read = async () => {
    const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
    const text = serializer.serialize((await exporter.collect()).resourceMetrics);
    return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  };
  return { meter, read };
}

it("counter: each combination of its labels' values is 0 from the start, and counts on from there", async () => {
  const { meter, read } = createMeter();
  const calls = startAtZero(meter.createCounter("calls"), { tool: ["bell", "lamp"], outcome: ["done", "failed"] });
  const series = [
    'calls_total{tool="bell",outcome="done"}',
    'calls_total{tool="bell",outcome="failed"}',
    'calls_total{tool="lamp",outcome="done"}',
    'calls_total{tool="lamp",outcome="failed"}',
  ];
  expect(await read()).toEqual(series.map((name) => `${name} 0`));
  calls.add(2, { outcome: "failed", tool: "lamp" });
  calls.add(1, { tool: "door", outcome: "done" });
  expect((await read()).slice(3)).toEqual([`${series[3]} 2`, 'calls_total{tool="door",outcome="done"} 1']);
});

it("counter: one without labels is 0 from the start, and one with a label that has no value is not there", async () => {
  const { meter, read } = createMeter();
  startAtZero(meter.createCounter("rings"));
  startAtZero(meter.createCounter("calls"), { tool: [], outcome: ["done"] });
  expect(await read()).toEqual(["rings_total 0"]);
});

it("histogram: its buckets are 0 from the start, and nothing is counted before the first value", async () => {
  const { meter, read } = createMeter();
  const times = meter.createHistogram("ring_ms", { advice: { explicitBucketBoundaries: [10] } });
  startAtZero(times, { kind: ["typed"] });
  const lines = (numbers: readonly number[]) =>
    ["count", "sum", "bucket", "bucket"].map((name, i) => {
      const le = ["", "", ',le="10"', ',le="+Inf"'][i];
      return `ring_ms_${name}{kind="typed"${le}} ${numbers[i]}`;
    });
  expect(await read()).toEqual(lines([0, 0, 0, 0]));
  times.record(4, { kind: "typed" });
  expect(await read()).toEqual(lines([1, 4, 1, 1]));
});
