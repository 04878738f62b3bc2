import type { Histogram, Meter } from "@opentelemetry/api";
import type { Bus } from "./bus.ts";

/** Counts and times claims. */
export interface ClaimMeter {
  /** Counts a claim that came `waitedMs` after its message was stored. */
  claimed(durable: string, attempt: number, waitedMs: number): void;
  /** Claims so far, and those of them that had been delivered before. */
  totals(): { readonly claims: number; readonly redeliveries: number };
}

const waitBoundaries = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/** Creates the instruments of claims. Without a meter only the totals are counted. */
export function createClaimMeter(meter: Meter | undefined): ClaimMeter {
  const waits: Histogram | undefined = meter?.createHistogram("voxbus_bus_claim_wait_ms", {
    description: "Time from the storing of a message to its first claim",
    advice: { explicitBucketBoundaries: waitBoundaries },
  });
  const redeliveries = meter?.createCounter("voxbus_bus_redeliveries", {
    description: "Claims that this worker or another one had before",
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

/** Exports the connection's counts as metrics. */
export function observeBus(meter: Meter, { stats, storing }: Pick<Bus, "stats" | "storing">): void {
  meter
    .createObservableGauge("voxbus_bus_storing", { description: "1 while NATS stores messages" })
    .addCallback((result) => result.observe(storing() ? 1 : 0));
  meter
    .createObservableGauge("voxbus_bus_rtt_ms", { description: "Last round trip to NATS" })
    .addCallback((result) => result.observe(stats().rtt));
  meter
    .createObservableGauge("voxbus_bus_queued_bytes", { description: "Bytes that wait to be written to NATS" })
    .addCallback((result) => result.observe(stats().queued));
  meter
    .createObservableCounter("voxbus_bus_reconnects", { description: "Reconnects to NATS" })
    .addCallback((result) => result.observe(stats().reconnects));
  meter
    .createObservableCounter("voxbus_bus_denied", { description: "What NATS did not permit the program to do" })
    .addCallback((result) => result.observe(stats().denied));
  meter
    .createObservableCounter("voxbus_bus_retries", { description: "Retried operations on streams" })
    .addCallback((result) => result.observe(stats().retries));
  meter
    .createObservableCounter("voxbus_bus_full", { description: "Messages that found the storage of NATS full" })
    .addCallback((result) => result.observe(stats().full));
  meter
    .createObservableCounter("voxbus_bus_drops", {
      description: "Messages that did not decode, or whose handler failed",
    })
    .addCallback((result) => {
      for (const [reason, total] of Object.entries(stats().drops)) result.observe(total, { reason });
    });
}
