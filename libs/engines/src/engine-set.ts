import type { Meter } from "@opentelemetry/api";
import { startAtZero } from "@voxbus/service";
import { failureReasons } from "./failure.ts";
import { createEngineHealth, type CoolDown, type EngineHealth, type EngineLog } from "./health.ts";

/** The name of an engine in a profile, or several in order of preference. */
export type EngineNames = string | readonly string[];

/** The engines of a program, and the order in which they are asked. */
export interface EngineSet<Engine> {
  /** Every engine. */
  readonly engines: readonly Engine[];
  /**
   * Gives the engines to ask, at least one: those that a profile names and the program has, otherwise the usual ones. Engines
   * that are cooling down come last, because one of them may be all there is.
   */
  choose(names: EngineNames | undefined): readonly Engine[];
  /** Puts the engines that are usable first. */
  order(engines: readonly Engine[]): readonly Engine[];
  /** The number of engines that cannot be used now. */
  unusable(): number;
  close(): void;
}

/** The parts of a set of engines. */
export interface EngineSetOptions<Engine> {
  readonly engines: readonly Engine[];
  /** The names of the engines that are asked without a profile's, in order. */
  readonly usual: readonly string[];
  /** Makes an engine that notes the ends of its requests. */
  readonly watch: (engine: Engine, health: Pick<EngineHealth, "begin">) => Engine;
  /** Asks a watched engine for as little as possible. */
  readonly probe: (engine: Engine, signal: AbortSignal) => Promise<void>;
  readonly log: EngineLog;
  readonly meter: Meter;
  readonly coolDown?: CoolDown;
}

/** Creates a set of engines that are all usable, and its metrics. */
export function createEngineSet<Engine extends { readonly name: string }>(
  options: EngineSetOptions<Engine>,
): EngineSet<Engine> {
  const { usual, watch, probe, log, meter, coolDown } = options;
  const counters = createCounters(
    meter,
    options.engines.map(({ name }) => name),
  );
  const healths = new Map<string, EngineHealth>();
  const engines = new Map(
    options.engines.map((engine) => {
      const { name } = engine;
      const health = createEngineHealth({
        name,
        probe: (signal) => probe(watched, signal),
        log,
        coolDown,
        onRequest: () => counters.requests.add(1, { engine: name }),
        onFailure: (reason) => counters.failures.add(1, { engine: name, reason }),
      });
      const watched = watch(engine, health);
      healths.set(name, health);
      return [name, watched] as const;
    }),
  );
  const isUsable = ({ name }: Engine) => healths.get(name)?.isUsable ?? true;
  const find = (names: readonly string[]) => [...new Set(names)].flatMap((name) => engines.get(name) ?? []);
  const order = (list: readonly Engine[]) => [...list.filter(isUsable), ...list.filter((one) => !isUsable(one))];
  counters.usable.addCallback((result) => {
    for (const { name, isUsable } of healths.values()) result.observe(Number(isUsable), { engine: name });
  });
  return {
    engines: [...engines.values()],
    choose(names = []) {
      const chosen = find(typeof names === "string" ? [names] : names);
      return order(chosen.length > 0 ? chosen : find(usual));
    },
    order,
    unusable: () => [...healths.values()].filter(({ isUsable }) => !isUsable).length,
    close: () => healths.forEach((health) => health.close()),
  };
}

function createCounters(meter: Meter, engine: readonly string[]) {
  const requests = meter.createCounter("voxbus_engine_requests", { description: "Requests to an engine" });
  const failures = meter.createCounter("voxbus_engine_failures", { description: "Requests to an engine that failed" });
  const usable = meter.createObservableGauge("voxbus_engine_usable", {
    description: "1 if an engine can be used, 0 while it is cooling down",
  });
  startAtZero(requests, { engine });
  startAtZero(failures, { engine, reason: failureReasons });
  return { requests, failures, usable };
}
