import type { Histogram, Meter } from "@opentelemetry/api";
import type { Bus } from "./bus.ts";

/** What claims tell of themselves. */
export interface ClaimMeter {
  /** A claim came, so many ms after its message was stored. */
  claimed(durable: string, attempt: number, waitedMs: number): void;
  /** Claims so far, and how many of them somebody had had before. */
  totals(): { readonly claims: number; readonly redeliveries: number };
}

const waitBoundaries = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/** Makes the instruments of claims; without a meter there are only the totals. */
export function createClaimMeter(meter: Meter | undefined): ClaimMeter {
  const waits: Histogram | undefined = meter?.createHistogram("voxbus_bus_claim_wait_ms", {
    description: "From a message's storing to its first claim",
    advice: { explicitBucketBoundaries: waitBoundaries },
  });
  const redeliveries = meter?.createCounter("voxbus_bus_redeliveries", {
    description: "Claims that another worker, or this one, had before",
  });
  const totals = { claims: 0, redeliveries: 0 };
  return {
    claimed(durable, attempt, waitedMs) {
      totals.claims += 1;
      if (attempt > 1) {
        totals.redeliveries += 1;
        redeliveries?.add(1, { durable });
      } else waits?.record(Math.max(0, waitedMs), { durable });
    },
    totals: () => ({ ...totals }),
  };
}

/** Shows what the connection counts. */
export function observeBus(meter: Meter, stats: Bus["stats"]): void {
  meter
    .createObservableGauge("voxbus_bus_rtt_ms", { description: "Last round trip to NATS" })
    .addCallback((result) => result.observe(stats().rtt));
  meter
    .createObservableCounter("voxbus_bus_reconnects", { description: "Times that NATS was found again" })
    .addCallback((result) => result.observe(stats().reconnects));
  meter
    .createObservableCounter("voxbus_bus_retries", { description: "Stores that had to be tried again" })
    .addCallback((result) => result.observe(stats().retries));
  meter
    .createObservableCounter("voxbus_bus_drops", { description: "Messages that did not decode" })
    .addCallback((result) => {
      for (const [reason, total] of Object.entries(stats().drops)) result.observe(total, { reason });
    });
}
