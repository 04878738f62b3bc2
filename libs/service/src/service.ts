import type { Meter } from "@opentelemetry/api";
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import type { z } from "zod";
import { baseConfig, port, readConfig, type ConfigShape } from "./config.ts";
import type { EngineTrial } from "./engine-trial.ts";
import { createLifecycle, type Lifecycle } from "./lifecycle.ts";
import { logOutput } from "./log-output.ts";
import { logLevelRoutes } from "./log-level.ts";
import { createLog, type Log } from "./log.ts";
import { countDropped } from "./listen.ts";
import { openOps, type OpsHandler } from "./ops.ts";
import { answerPreStop } from "./pre-stop.ts";
import { observeProcess } from "./process-metrics.ts";
import { createProxies } from "./proxies.ts";
import { startTelemetry } from "./telemetry.ts";
import { createWarm, type Warm } from "./warm-up.ts";
import { createUnexpectedErrors, type BearError } from "./unexpected-errors.ts";

type BaseConfig = z.infer<z.ZodObject<typeof baseConfig>>;

/** Describes a program: its name, its variables and its default ports. */
export interface Program<S extends ConfigShape = ConfigShape> {
  readonly name: string;
  /** The program's own environment variables. */
  readonly config?: S;
  /** Default of the operations port; without it any free port. */
  readonly opsPort?: number;
  /** Checks rules between variables, before anything is built. Throws ConfigError. */
  checkConfig?(config: z.infer<z.ZodObject<S>> & BaseConfig): void;
  /** Tries the engines that the configuration names, for `--try-engines`. A failure is a problem in its result. */
  tryEngines?(
    config: z.infer<z.ZodObject<S>> & BaseConfig,
    log: Log,
    signal: AbortSignal,
  ): Promise<readonly EngineTrial[]>;
}

/** Gives a program its process: configuration, log, metrics, health, and an ordered end. */
export interface Service<S extends ConfigShape> extends Pick<Lifecycle, "signal" | "defer" | "drain"> {
  readonly config: z.infer<z.ZodObject<S>> & BaseConfig;
  readonly log: Log;
  /** Makes instruments, which `/metrics` shows. Their names are `voxbus_<program>_<thing>_<unit>`. */
  readonly meter: Meter;
  /**
   * Ends the program for a reason that only an operator can remove: it logs the reason, stops as `quick` does, and its
   * process exits with code 78, so that it is not started again.
   */
  fail(reason: Error): void;
  /**
   * Runs the program's work on made-up input, so that the first real one does not wait for code to be compiled. It takes 5 s
   * at most. A failure is logged. Called before the program accepts work, which its metrics must not count.
   */
  readonly warm: Warm;
  /** Adds a condition to `/readyz`. Throws RangeError if there is one of this name already. */
  check(name: string, ready: () => boolean): void;
  /** Adds a route to the operations port, by method and path. One that is there already is replaced. */
  route(methodAndPath: string, handler: OpsHandler): void;
  /** Gives the metrics of this process in Prometheus's text format. */
  metrics(): Promise<string>;
}

/** Builds a program and returns the addresses at which it is reached, by name. */
export type Build<S extends ConfigShape> = (service: Service<S>) => Promise<Readonly<Record<string, string>> | void>;

/** A running program. */
export interface Running extends Pick<Lifecycle, "stop"> {
  readonly addresses: Readonly<Record<string, string>>;
  readonly log: Log;
  /** Resolves when `POST /pre-stop` was answered: the program has drained, and its process is to end. */
  readonly preStopped: Promise<void>;
  /** Resolves with the reason when the program has failed. Then it stops. */
  readonly failed: Promise<Error>;
  /** Takes an error that nothing has caught. */
  readonly bearError: BearError;
}

/** Names the variable that holds a program's operations port. */
export function opsVariable(name: string): string {
  return `VOXBUS_${name.toUpperCase().replaceAll("-", "_")}_OPS_PORT`;
}

/** Gives a program's whole schema: its own variables and those of every program. */
export function programShape<S extends ConfigShape>({ name, opsPort = 0, config }: Program<S>): S & typeof baseConfig {
  const ops = { [opsVariable(name)]: port.default(opsPort).describe("operations port") };
  return { ...(config as S), ...ops, ...baseConfig };
}

/**
 * Starts a program in this process without signal handlers; `run` adds those. If building fails, or `early` is aborted,
 * everything built so far is undone. Throws ConfigError, ListenError, or the error that `build` threw.
 */
export async function startService<S extends ConfigShape>(
  program: Program<S>,
  build: Build<S>,
  env: Readonly<Record<string, string | undefined>>,
  early?: AbortSignal,
): Promise<Running> {
  const { name } = program;
  const read = readConfig(programShape(program), env);
  const config = read.config as Service<S>["config"];
  program.checkConfig?.(config);
  const log = createLog({ name, level: config.VOXBUS_LOG_LEVEL, format: config.VOXBUS_LOG_FORMAT });
  if (read.unknown.length) log.warn({ variables: read.unknown }, "unknown variables ignored");

  const life = createLifecycle(log, early);
  const { signal, defer, drain, stop } = life;
  try {
    const exporter = new PrometheusExporter({ preventServerStart: true });
    const meters = new MeterProvider({ readers: [exporter], resource: describeService(name, env) });
    defer(() => meters.shutdown());
    const meter = meters.getMeter("voxbus");
    const bearError = createUnexpectedErrors(meter, log);
    const telemetry = await startTelemetry({ name, log }, env);
    defer(() => telemetry?.close());
    countLostLines(meter, name);
    const vitals = observeProcess(meter, name);
    defer(() => vitals.close());
    const checks = new Map<string, () => boolean>([
      ["running", () => !signal.aborted],
      ["started", () => false],
    ]);
    let resolvePreStopped = (): void => undefined;
    const preStopped = new Promise<void>((resolve) => (resolvePreStopped = resolve));
    const preStop = answerPreStop(
      () => life.finish("drain"),
      () => resolvePreStopped(),
    );
    const routes = new Map<string, OpsHandler>([...logLevelRoutes(log), ["POST /pre-stop", preStop]]);
    const variable = opsVariable(name);
    const ops = await openOps({
      listener: {
        host: config.VOXBUS_OPS_HOST,
        port: Number((config as Record<string, unknown>)[variable]),
        variable,
        proxies: createProxies(config.VOXBUS_TRUSTED_PROXIES),
        dropped: countDropped(meter, "operations"),
        log,
      },
      hosts: config.VOXBUS_HOSTS,
      checks,
      routes,
      metrics: (request, response) => exporter.getMetricsRequestHandler(request, response),
      log,
    });
    defer(() => ops.close());
    const { failed, fail } = createFailure(log, stop);
    const addresses = await build({
      config,
      log,
      meter,
      signal,
      defer,
      drain,
      fail,
      warm: createWarm(log, signal),
      check(name, ready) {
        if (checks.has(name)) throw new RangeError(`the check ${name} exists already`);
        checks.set(name, ready);
      },
      route: (path, handler) => routes.set(path, handler),
      metrics: async () => new PrometheusSerializer().serialize((await exporter.collect()).resourceMetrics),
    });
    checks.delete("started");
    return { addresses: { ...addresses, ops: ops.address }, log, preStopped, failed, stop, bearError };
  } catch (error) {
    await stop("quick");
    throw error;
  }
}

/** Describes the program as traces do. `/metrics` shows it as `target_info`. */
function describeService(name: string, env: Readonly<Record<string, string | undefined>>) {
  const service = { "service.name": env["OTEL_SERVICE_NAME"] || `voxbus-${name}` };
  return defaultResource().merge(resourceFromAttributes(service));
}

function countLostLines(meter: Meter, program: string): void {
  meter
    .createObservableCounter("voxbus_process_log_lines_dropped", { description: "Log lines that could not be written" })
    .addCallback((result) => result.observe(logOutput().dropped(), { program }));
}

/** Creates the promise of a program's failure, and the function that ends the program with it. */
function createFailure(log: Log, stop: Lifecycle["stop"]) {
  let resolveFailed = (_reason: Error): void => undefined;
  const failed = new Promise<Error>((resolve) => (resolveFailed = resolve));
  const fail = (err: Error): void => {
    log.fatal({ err }, "program failed, ending");
    resolveFailed(err);
    void stop("quick");
  };
  return { failed, fail };
}
