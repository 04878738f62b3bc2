import type { Histogram, Meter } from "@opentelemetry/api";
import type { DropReason } from "@voxbus/protocol";
import type { Bus } from "./bus.ts";

/** Counts and times claims. */
export interface ClaimMeter {
  /** Shows the counts of a consumer at 0, before its first claim. */
  began(durable: string): void;
  /** Counts a claim that came `waitedMs` after its message was stored. */
  claimed(durable: string, attempt: number, waitedMs: number): void;
  /** Claims so far, and those of them that had been delivered before. */
  totals(): { readonly claims: number; readonly redeliveries: number };
}

const noDrops: Readonly<Partial<Record<DropReason, 0>>> = {
  "bad-envelope": 0,
  "newer-version": 0,
  "handler-failed": 0,
  "handler-timeout": 0,
  "queue-full": 0,
  "kept-full": 0,
};
/** In seconds. */
const waitBoundaries = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Creates the instruments of claims. Without a meter only the totals are counted. */
export function createClaimMeter(meter: Meter | undefined): ClaimMeter {
  const waits: Histogram | undefined = meter?.createHistogram("voxbus_bus_claim_wait_seconds", {
    description: "Time from the storing of a message to its first claim",
    advice: { explicitBucketBoundaries: waitBoundaries },
  });
  const redeliveries = meter?.createCounter("voxbus_bus_redeliveries", {
    description: "Claims that this worker or another one had before",
  });
  const totals = { claims: 0, redeliveries: 0 };
  return {
    began(durable) {
      redeliveries?.add(0, { durable });
      // It makes the series, and is not counted.
      waits?.record(NaN, { durable });
    },
    claimed(durable, attempt, waitedMs) {
      totals.claims += 1;
      if (attempt > 1) {
        totals.redeliveries += 1;
        redeliveries?.add(1, { durable });
      } else waits?.record(Math.max(0, waitedMs) / 1000, { durable });
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
    .createObservableGauge("voxbus_bus_rtt_seconds", { description: "Last round trip to NATS" })
    .addCallback((result) => result.observe(stats().rtt / 1000));
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
      for (const [reason, total] of Object.entries({ ...noDrops, ...stats().drops })) result.observe(total, { reason });
    });
}
