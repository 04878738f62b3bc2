import { BusAwayError, type Bus, type ConsumerLag } from "@voxbus/bus";
import type { PresenceView } from "@voxbus/presence";
import type { Turns } from "../turns/turns.ts";
import { createCapacityMeter, turnsNeeded } from "./capacity.ts";
import { createCounters, ratePoints } from "./counters.ts";
import type { Capacity } from "./load-view.ts";
import { collectDropped, type Dropped } from "./dropped.ts";
import { collectPrograms, type Programs } from "./programs.ts";
import { takeSamples } from "./samples.ts";
import { createHistory, keptPoints, type History } from "./series.ts";
import { discoverServices, type Services } from "./services.ts";
import { listTargets, type Target } from "./targets.ts";

const settledMs = 5 * 60_000;
// A device that talks has a turn in this time, or in that of the counters if it is longer.
const talkingMs = 5 * 60_000;
const lagsMs = 3000;

/** Numbers of all programs, consumers and turns, and their history. */
export interface Measurements {
  readonly programs: Programs;
  readonly dropped: Dropped;
  readonly services: Services;
  readonly history: History;
  /** The lag of each consumer at the last measurement. */
  lags(): readonly ConsumerLag[];
  /** The capacity at the last measurement. */
  capacity(): Capacity;
  /**
   * Measures once, records the samples, and lists the targets for the rules. While JetStream does not answer, the lags stay
   * as they were.
   */
  measure(signal: AbortSignal): Promise<readonly Target[]>;
  close(): void;
}

/** Starts to collect what processes report. `intervalMs` is the time between two measurements. */
export function createMeasurements(parts: {
  readonly bus: Bus;
  readonly presence: PresenceView;
  readonly turns: Turns;
  readonly intervalMs: number;
}): Measurements {
  const { bus, presence, turns } = parts;
  const programs = collectPrograms(bus);
  const dropped = collectDropped(bus);
  const services = discoverServices(bus);
  const history = createHistory({ forgetMs: keptPoints * parts.intervalMs });
  const counters = createCounters();
  const meter = createCapacityMeter();
  const began = performance.now();
  let capacity: Capacity = { turns: 0, turnsNeeded, talking: 0, limits: [] };
  let lags: readonly ConsumerLag[] = [];
  return {
    programs,
    dropped,
    services,
    history,
    lags: () => lags,
    capacity: () => capacity,
    async measure(signal) {
      lags = await readLags(bus, lags, signal);
      const now = Date.now();
      const snapshot = {
        programs: programs.take(),
        lags,
        latencies: turns.latencies(now),
        settled: performance.now() - began > settledMs,
        online: [...presence.devices()].length,
      };
      history.record(now, takeSamples(snapshot, counters));
      capacity = meter.measure(
        snapshot,
        counters,
        turns.talking(now - Math.max(talkingMs, ratePoints * parts.intervalMs)),
      );
      const { more } = capacity;
      if (more !== undefined) history.record(now, [{ metric: "capacity", target: "fleet", value: more }]);
      return listTargets(snapshot, counters, history);
    },
    close() {
      services.close();
      dropped.close();
      programs.close();
    },
  };
}

/** Reads the lags. Gives those from before if JetStream fails or takes over 3 s. */
async function readLags(
  bus: Bus,
  before: readonly ConsumerLag[],
  signal: AbortSignal,
): Promise<readonly ConsumerLag[]> {
  if (!bus.storing()) return before;
  // AbortSignal.any would leave something behind on the lasting signal with each measurement.
  const stop = new AbortController();
  const end = () => stop.abort();
  const timer = setTimeout(end, lagsMs);
  signal.addEventListener("abort", end);
  try {
    return await bus.lags(stop.signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!stop.signal.aborted && !(error instanceof BusAwayError)) throw error;
    return before;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  }
}
