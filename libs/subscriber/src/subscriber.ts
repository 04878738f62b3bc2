import {
  busConfig,
  checkBusConfig,
  connectBus,
  DeniedError,
  NatsSetupError,
  type Bus,
  type BusConfig,
} from "@voxbus/bus";
import { watchProfiles, type EngineNames, type Profiles } from "@voxbus/presence";
import type { BucketName, StreamName } from "@voxbus/protocol";
import type { z } from "zod";
import {
  ConfigError,
  createVitals,
  listVariables,
  programShape,
  run,
  startService,
  type Build,
  type ConfigShape,
  type Program as ServiceProgram,
  type Running,
  type Service,
  type Variable,
} from "@voxbus/service";
import { claimGuardConfig, guardClaims } from "./claim-guard.ts";
import { createOn, type On } from "./on.ts";
import { reportVitals, type Report, type ReportDetails } from "./report.ts";
import { createSend, type Send } from "./send.ts";

/** Gives a program its process (config, log, meter, defer, drain, …) and its connection to the bus. */
export interface Context<S extends ConfigShape = typeof busConfig> extends Service<S & typeof busConfig> {
  readonly on: On;
  readonly send: Send;
  /** Gives access to everything else: requests, claims, buckets. */
  readonly bus: Bus;
  /**
   * Watches the devices' profiles from the first call until the program has stopped. `engines` names those that the
   * program has: another engine in a profile is ignored and logged.
   */
  profiles(engines?: EngineNames): Promise<Profiles>;
  /** Adds numbers to those that the program reports on the bus. The first report is sent after setup. */
  report(details: ReportDetails): void;
  /** Reports a change of these numbers early, at most four times a second. */
  reportSoon(): void;
}

/** Describes a program on the bus: its name, its variables, its default ports, and what it uses of JetStream. */
export interface Program<S extends ConfigShape = ConfigShape> extends ServiceProgram<S> {
  /**
   * The streams and buckets that it uses. They are created or updated before its setup. Any other is created at its first
   * use if it is missing. A program that uses none asks JetStream for nothing.
   */
  readonly streams?: readonly (StreamName | BucketName)[];
}

/** Puts a program together. It may return addresses by name for the line that says the program is ready. */
export type Setup<S extends ConfigShape = typeof busConfig> = (
  context: Context<S>,
) => void | Readonly<Record<string, string>> | Promise<void | Readonly<Record<string, string>>>;

/**
 * Runs a program on the bus as this process: configuration from the environment (`--help` prints it), `/livez`,
 * `/readyz` and `/metrics` on its operations port, the connection to NATS, and an orderly end on SIGTERM and Ctrl-C.
 *
 *     await subscriber({ name: "echo" }, ({ on, send }) => {
 *       on.audio((frame, from) => send.audio(from.device, frame.body));
 *     });
 */
export async function subscriber<S extends ConfigShape = typeof busConfig>(
  program: Program<S>,
  setup: Setup<S>,
): Promise<void> {
  await run(withBus(program), buildOf(program, setup));
}

/** Gives the parent of several processes of a program its own process. It is not on the bus. */
export type ParentContext<S extends ConfigShape = ConfigShape> = Service<S & typeof busConfig>;

/**
 * Runs the parent of several processes of a program, which `build` starts and ends. It has the program's variables and its
 * operations port.
 */
export async function runParent<S extends ConfigShape>(
  program: Program<S>,
  build: Build<S & typeof busConfig>,
): Promise<void> {
  await run(withBus(program), build);
}

/**
 * Starts a program for a test: the same as `subscriber`, but with `env` as the environment, without signal handlers,
 * and ended by `stop`.
 */
export async function startSubscriber<S extends ConfigShape = typeof busConfig>(
  program: Program<S>,
  setup: Setup<S>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Running> {
  return startService(withBus(program), buildOf(program, setup), env);
}

/** Lists every variable that a program takes, as `--help` prints them. */
export function variablesOf<S extends ConfigShape>(program: Program<S>): readonly Variable[] {
  return listVariables(programShape(withBus(program)));
}

/** Adds the variables of NATS to a program's own, and their rules. */
function withBus<S extends ConfigShape>(program: Program<S>): ServiceProgram<S & typeof busConfig> {
  const checkConfig: Program<S>["checkConfig"] = (config) => {
    const problems = checkBusConfig(config as unknown as BusConfig);
    if (problems.length > 0) throw new ConfigError(problems);
    program.checkConfig?.(config);
  };
  const config = { ...program.config, ...busConfig, ...claimGuardConfig };
  return { ...program, config, checkConfig } as unknown as ServiceProgram<S & typeof busConfig>;
}

/** Turns the errors that an operator mends into problems of the configuration. */
function explainRefusal(error: unknown): never {
  if (error instanceof NatsSetupError || error instanceof DeniedError) throw new ConfigError([error.message]);
  throw error;
}

function buildOf<S extends ConfigShape>(
  { name, streams = [] }: Program<S>,
  setup: Setup<S>,
): Build<S & typeof busConfig> {
  return async (service) => {
    const { log, meter, signal, defer } = service;
    const config = service.config as unknown as BusConfig & z.infer<z.ZodObject<typeof claimGuardConfig>>;
    const connected = await connectBus({ ...config, name, meter, streams }, log, signal).catch(explainRefusal);
    defer(() => connected.close());
    const guard = guardClaims(connected, { config, log, meter });
    defer(() => guard.close());
    const { bus } = guard;
    service.check("nats", () => bus.connected());
    service.check("streams", () => bus.storing());
    let details: ReportDetails = {};
    let reporting: Report | undefined;
    defer(() => reporting?.close());
    let profiles: Promise<Profiles> | undefined;
    const openProfiles = async (engines?: EngineNames) => {
      const opened = await watchProfiles(bus, log, engines);
      defer(() => opened.close());
      return opened;
    };

    const addresses = await setup({
      ...service,
      bus,
      on: createOn(bus),
      send: createSend(bus),
      profiles: (engines) => (profiles ??= openProfiles(engines)),
      report: (more) => void (details = { ...details, ...more }),
      reportSoon: () => reporting?.soon(),
    });
    // Ready means that every subscription stands.
    await bus.flush();
    const gauges = () => ({ claimsPaused: Number(guard.paused()), ...details.gauges?.() });
    reporting = reportVitals(bus, { ...details, gauges, program: name, vitals: createVitals(), signal });
    return addresses;
  };
}
