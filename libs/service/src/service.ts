import type { Meter } from "@opentelemetry/api";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import type { z } from "zod";
import { baseConfig, port, readConfig, type ConfigShape } from "./config.ts";
import { createLog, type Log } from "./log.ts";
import { logLevelRoutes } from "./log-level.ts";
import { openOps, type OpsHandler } from "./ops.ts";
import { answerPreStop } from "./pre-stop.ts";
import { observeProcess } from "./process-metrics.ts";
import { startTelemetry } from "./telemetry.ts";

/** How a program stops: `drain` lets what goes on finish (SIGTERM, bound 30 s), `quick` is out within 5 s (SIGINT). */
export type StopMode = "drain" | "quick";

type BaseConfig = z.infer<z.ZodObject<typeof baseConfig>>;

/** What a program is: its name, its variables, its operations port by default. */
export interface Program<S extends ConfigShape> {
  readonly name: string;
  readonly opsPort: number;
  readonly config: S;
}

/** What `build` gets to put a program together. */
export interface Service<S extends ConfigShape> {
  readonly config: z.infer<z.ZodObject<S>> & BaseConfig;
  readonly log: Log;
  /** Instruments end up on `/metrics`; names are `voxbus_<part>_<what>_<unit>`. */
  readonly meter: Meter;
  /** Aborted when the program begins to stop, or to drain. */
  readonly signal: AbortSignal;
  /** Registers how the last step is undone; undone in reverse order. */
  defer(undo: (mode: StopMode) => void | Promise<void>): void;
  /**
   * Registers how what goes on is finished or handed over, so that it is safe to end the process. All of these run at once, and once:
   * at `POST /pre-stop`, or when the program stops, before anything is undone. A quick stop runs them with that mode even
   * while a drain is going on.
   */
  drain(finish: (mode: StopMode) => Promise<void>): void;
  /** Adds a condition to `/readyz`. */
  check(name: string, ready: () => boolean): void;
  /** Adds a route to the operations port, by method and path. */
  route(methodAndPath: string, handler: OpsHandler): void;
}

/** Builds a program and gives the addresses it can be reached at, by name. */
export type Build<S extends ConfigShape> = (service: Service<S>) => Promise<Readonly<Record<string, string>> | void>;

/** A program that runs. */
export interface Running {
  readonly addresses: Readonly<Record<string, string>>;
  readonly log: Log;
  /**
   * Drains, then undoes every step in reverse order; what fails is logged and the rest is done all the same. `quick`
   * while a drain is going on hurries it.
   */
  stop(mode: StopMode): Promise<void>;
}

/** The variable that holds a program's operations port. */
export function opsVariable(name: string): string {
  return `VOXBUS_${name.toUpperCase().replaceAll("-", "_")}_OPS_PORT`;
}

/** A program's whole schema: its own variables and those that every program takes. */
export function programShape<S extends ConfigShape>(program: Program<S>): S & typeof baseConfig {
  const ops = { [opsVariable(program.name)]: port.default(program.opsPort).describe("operations port") };
  return { ...program.config, ...ops, ...baseConfig };
}

/**
 * Starts a program in this process without touching signals; `run` does that. What was built before a failure, or
 * before `early` was aborted, is undone. Throws ConfigError, PortTakenError, or what `build` throws.
 */
export async function startService<S extends ConfigShape>(
  program: Program<S>,
  build: Build<S>,
  env: Readonly<Record<string, string | undefined>>,
  early?: AbortSignal,
): Promise<Running> {
  const read = readConfig(programShape(program), env);
  const config = read.config as Service<S>["config"];
  const log = createLog({ name: program.name, level: config.VOXBUS_LOG_LEVEL, format: config.VOXBUS_LOG_FORMAT });
  if (read.unknown.length) log.warn({ variables: read.unknown }, "variables that no program knows");

  const undos: ((mode: StopMode) => void | Promise<void>)[] = [];
  const stopping = new AbortController();
  early?.addEventListener("abort", () => stopping.abort(early.reason));
  let stopped: Promise<void> | undefined;
  const drains: ((mode: StopMode) => Promise<void>)[] = [];
  const drained: Partial<Record<StopMode, Promise<void>>> = {};
  const finishAll = async (mode: StopMode) => {
    stopping.abort(new Error("the program stops"));
    const attempt = async (finish: (mode: StopMode) => Promise<void>) => {
      try {
        await finish(mode);
      } catch (error) {
        log.error({ err: error }, "a part of the drain failed");
      }
    };
    await Promise.all(drains.map(attempt));
  };
  const drain = (mode: StopMode) => (drained[mode] ??= finishAll(mode));
  const undoAll = async (mode: StopMode) => {
    await drain(mode);
    for (const undo of undos.toReversed()) {
      try {
        await undo(mode);
      } catch (error) {
        log.error({ err: error }, "a step of the stop failed");
      }
    }
  };
  const stop = (mode: StopMode) => {
    if (stopped && mode === "quick") void drain(mode);
    return (stopped ??= undoAll(mode));
  };

  try {
    const exporter = new PrometheusExporter({ preventServerStart: true });
    const meters = new MeterProvider({ readers: [exporter] });
    undos.push(() => meters.shutdown());
    const telemetry = await startTelemetry({ name: program.name, log }, env);
    if (telemetry) undos.push(() => telemetry.close());
    const vitals = observeProcess(meters.getMeter("voxbus"), program.name);
    undos.push(() => vitals.close());
    const checks = new Map<string, () => boolean>([["running", () => !stopping.signal.aborted]]);
    const routes = new Map<string, OpsHandler>([
      ...logLevelRoutes(log),
      ["POST /pre-stop", answerPreStop(() => drain("drain"))],
    ]);
    const variable = opsVariable(program.name);
    const ops = await openOps({
      host: config.VOXBUS_OPS_HOST,
      port: Number((config as Record<string, unknown>)[variable]),
      variable,
      checks,
      routes,
      metrics: (request, response) => exporter.getMetricsRequestHandler(request, response),
    });
    undos.push(() => ops.close());
    const own = await build({
      config,
      log,
      meter: meters.getMeter("voxbus"),
      signal: stopping.signal,
      defer: (undo) => undos.push(undo),
      drain: (finish) => drains.push(finish),
      check: (name, ready) => checks.set(name, ready),
      route: (path, handler) => routes.set(path, handler),
    });
    return { addresses: { ...own, ops: ops.address }, log, stop };
  } catch (error) {
    await stop("quick");
    throw error;
  }
}
