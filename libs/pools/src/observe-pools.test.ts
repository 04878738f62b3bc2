import { metrics as sdkMetrics } from "@opentelemetry/sdk-node";
import { expect, test } from "vitest";
import { observePools } from "./observe-pools.ts";
import { createPoolRecorder } from "./recorder.ts";

test("metrics: every series of a pool is there from the start, at 0", async () => {
  const reader = new sdkMetrics.PeriodicExportingMetricReader({
    exporter: new sdkMetrics.InMemoryMetricExporter(0),
    exportIntervalMillis: 1_000_000,
  });
  const provider = new sdkMetrics.MeterProvider({ readers: [reader] });
  const recorder = createPoolRecorder({ name: "test", slots: 4 });
  observePools(provider.getMeter("test"), () => [recorder]);
  const { resourceMetrics } = await reader.collect();
  const series = resourceMetrics.scopeMetrics.flatMap(({ metrics }) =>
    metrics.map(({ descriptor, dataPoints }) => [descriptor.name, dataPoints.length] as const),
  );
  expect(Object.fromEntries(series)).toEqual({
    ...Object.fromEntries(
      ["submitted", "waited", "done", "failed", "timed_out", "shed", "running", "waiting", "peak"].map((name) => [
        `voxbus_pool_${name}`,
        3,
      ]),
    ),
    voxbus_pool_wait_seconds: 9,
    voxbus_pool_work_seconds: 9,
    voxbus_pool_wait_mean_seconds: 3,
    voxbus_pool_work_mean_seconds: 3,
    voxbus_pool_slots: 1,
    voxbus_pool_busy_seconds: 1,
    voxbus_pool_limited: 1,
  });
  await provider.shutdown();
});

test("metrics: the mean of a priority's waits and work is in seconds", async () => {
  const reader = new sdkMetrics.PeriodicExportingMetricReader({
    exporter: new sdkMetrics.InMemoryMetricExporter(0),
    exportIntervalMillis: 1_000_000,
  });
  const provider = new sdkMetrics.MeterProvider({ readers: [reader] });
  const recorder = createPoolRecorder({ name: "test", slots: 4 });
  const numbers = recorder.read();
  const times = { p50: 0, p95: 0, p99: 0 };
  const work = numbers.work.map((one) => ({
    ...one,
    waitMs: { ...times, mean: one.priority === "normal" ? 250 : 0 },
    workMs: { ...times, mean: one.priority === "normal" ? 1500 : 0 },
  }));
  observePools(provider.getMeter("test"), () => [{ read: () => ({ ...numbers, work }) }]);
  const { resourceMetrics } = await reader.collect();
  const read = (name: string) =>
    resourceMetrics.scopeMetrics
      .flatMap(({ metrics }) => metrics)
      .find(({ descriptor }) => descriptor.name === name)
      ?.dataPoints.map(({ attributes, value }) => [attributes["priority"], value]);
  expect(read("voxbus_pool_wait_mean_seconds")).toEqual([
    ["high", 0],
    ["normal", 0.25],
    ["low", 0],
  ]);
  expect(read("voxbus_pool_work_mean_seconds")).toEqual([
    ["high", 0],
    ["normal", 1.5],
    ["low", 0],
  ]);
  await provider.shutdown();
});
