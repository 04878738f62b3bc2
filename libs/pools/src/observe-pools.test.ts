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
    voxbus_pool_slots: 1,
    voxbus_pool_busy_seconds: 1,
    voxbus_pool_limited: 1,
  });
  await provider.shutdown();
});
