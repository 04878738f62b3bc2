import {
  busConfig,
  checkBusConfig,
  connectBus,
  DeniedError,
  NatsSetupError,
  type Bus,
  type BusConfig,
  type Served,
  type ServiceDescription,
} from "@voxbus/bus";
import { watchPresence, watchProfiles, type EngineNames, type PresenceView, type Profiles } from "@voxbus/presence";
import type { BucketName, StreamName } from "@voxbus/protocol";
import type { z } from "zod";
import {
  checkAll,
  checkProgram as checkService,
  ConfigError,
  createVitals,
  listVariables,
  programShape,
  run,
  startService,
  type Build,
  type ConfigReport,
  type ConfigShape,
  type Program as ServiceProgram,
  type Running,
  type Service,
  type Variable,
} from "@voxbus/service";
import { claimGuardConfig, guardClaims } from "./claim-guard.ts";
import { checkOwnership, describeCapability, watchTraffic, type Ownership } from "./capability.ts";
import { createClaimTurns, type ClaimTurns } from "./claim.ts";
import { createFenceWatch } from "./fence-watch.ts";
import { createOpenMicrophone, type OpenMicrophone } from "./microphone.ts";
import { createOn, type On } from "./on.ts";
import { createOpenReply, type OpenReply } from "./reply.ts";
import { createProfileErrors } from "./profile-errors.ts";
import { reportVitals, type Report, type ReportDetails } from "./report.ts";
import { createSend, type Send } from "./send.ts";
import { createShadowBus, noShadowConfig, shadowConfig } from "./shadow.ts";
import { stopGraceMs } from "./stop-grace.ts";
import { createTools, type OfferTool, type OwnTools } from "./tool.ts";
import { createOpenSpeaker, type OpenSpeaker } from "./speaker.ts";

/** Gives a program its process (config, log, meter, defer, drain, …) and its connection to the bus. */
export interface Context<S extends ConfigShape = typeof busConfig> extends Service<S & typeof busConfig> {
  readonly on: On;
  readonly send: Send;
  /** Offers a tool that language models may call (docs/bus.md, "Tools"). */
  readonly tool: OfferTool;
  /** Claims transcripts and typed text: each is handled once, also if a process of the program dies. */
  readonly claim: ClaimTurns;
  /** Answers a turn: `from` of typed text, of a transcript, or of a claim. */
  readonly reply: OpenReply;
  /** Opens the microphone of a device: its sound as Opus packets or as samples. */
  readonly mic: OpenMicrophone;
  /** Opens the speaker of a device for live sound, which is sent at its time. */
  readonly speaker: OpenSpeaker;
  /** Gives access to everything else: requests, claims, buckets. */
  readonly bus: Bus;
  /** The name of the shadow as which the program runs. Its `bus` then has no effect on others. */
  readonly shadow: string | undefined;
  /**
   * Watches the devices' profiles from the first call until the program has stopped. `engines` names those that the
   * program has: another engine in a profile is ignored and logged.
   */
  profiles(engines?: EngineNames): Promise<Profiles>;
  /** Watches who is online, from the first call until the program has stopped. */
  presence(): Promise<PresenceView>;
  /** Adds numbers to those that the program reports on the bus. The first report is sent after setup. */
  report(details: ReportDetails): void;
  /** Reports a change of these numbers early, at most four times a second. */
  reportSoon(): void;
}

/** Describes a program on the bus: its name, its variables, its default ports, and what it uses of JetStream. */
export interface Program<S extends ConfigShape = ConfigShape> extends ServiceProgram<S>, Ownership {
  /**
   * The streams and buckets that it uses. They are created or updated before its setup. Any other is created at its first
   * use if it is missing. A program that uses none asks JetStream for nothing.
   */
  readonly streams?: readonly (StreamName | BucketName)[];
  /**
   * The patterns of the channels on which it stores its results, if it can run as a shadow (`VOXBUS_SHADOW`). Without them
   * it does not start with that variable.
   */
  readonly shadow?: readonly string[];
  /** The semantic version that NATS's services API shows; default 0.0.0. */
  readonly version?: string;
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

/** Checks a program's configuration without starting it. Never throws for a wrong value. */
export function checkProgram<S extends ConfigShape>(
  program: Program<S>,
  env: Readonly<Record<string, string | undefined>>,
): ConfigReport {
  return checkService(withBus(program), env);
}

/** Adds the variables of NATS to a program's own, and their rules. */
function withBus<S extends ConfigShape>(program: Program<S>): ServiceProgram<S & typeof busConfig> {
  const checkConfig: Program<S>["checkConfig"] = (config) => {
    const problems = [...checkBusConfig(config as unknown as BusConfig), ...checkOwnership(program)];
    checkAll(
      () => {
        if (problems.length > 0) throw new ConfigError(problems);
      },
      () => program.checkConfig?.(config),
    );
  };
  const shadow = program.shadow ? shadowConfig : noShadowConfig;
  const config = { ...program.config, ...busConfig, ...claimGuardConfig, ...shadow };
  return { ...program, config, checkConfig } as unknown as ServiceProgram<S & typeof busConfig>;
}

/** Turns the errors that an operator mends into problems of the configuration. */
function explainRefusal(error: unknown): never {
  if (error instanceof NatsSetupError || error instanceof DeniedError) throw new ConfigError([error.message]);
  throw error;
}

function buildOf<S extends ConfigShape>(
  { name, streams = [], version = "0.0.0", owner, link, shadow }: Program<S>,
  setup: Setup<S>,
): Build<S & typeof busConfig> {
  return async (service) => {
    const { log, meter, signal, defer } = service;
    const config = service.config as unknown as BusConfig & z.infer<z.ZodObject<typeof claimGuardConfig>>;
    const shadowName = shadow && (service.config as z.infer<z.ZodObject<typeof shadowConfig>>).VOXBUS_SHADOW;
    // A shadow brings no stream up to date, and is a user of its own.
    const user = shadowName === undefined ? { name, streams } : { name: "shadow", streams: [] };
    const connected = await connectBus({ ...config, ...user, meter }, log, signal).catch(explainRefusal);
    defer(() => connected.close());
    const guard = guardClaims(connected, { config, log, meter });
    defer(() => guard.close());
    const { bus: watched, traffic } = watchTraffic(guard.bus);
    const bus = shadowName === undefined ? watched : createShadowBus(watched, { name: shadowName, own: shadow ?? [] });
    service.check("nats", () => bus.connected());
    service.check("streams", () => bus.storing());
    const ownership = { ...(owner !== undefined && { owner }), ...(link !== undefined && { link }) };
    const metadata = () => describeCapability(ownership, traffic);
    const tools = openTools(service, bus, { name: user.name, version, metadata });
    let details: ReportDetails = {};
    let reporting: Report | undefined;
    defer(() => reporting?.close());
    let profiles: Promise<Profiles> | undefined;
    const openProfiles = async (engines?: EngineNames) => {
      const opened = await watchProfiles(bus, log, engines, createProfileErrors(bus, user.name));
      defer(() => opened.close());
      return opened;
    };

    const fences = createFenceWatch(bus);
    defer(() => fences.close());
    let presence: Promise<PresenceView> | undefined;
    const openPresence = async () => {
      const opened = await watchPresence(bus);
      defer(() => opened.close());
      return opened;
    };
    const send = createSend(bus);
    const addresses = await setup({
      ...service,
      bus,
      shadow: shadowName,
      on: createOn({ bus, fences, drain: service.drain }),
      tool: tools.offer,
      send,
      mic: createOpenMicrophone(bus),
      speaker: createOpenSpeaker({ bus, send, fences }),
      claim: createClaimTurns({ bus, fences, name, drain: service.drain }),
      reply: createOpenReply(bus, fences),
      profiles: (engines) => (profiles ??= openProfiles(engines)),
      presence: () => (presence ??= openPresence()),
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

/** Registers a program as a service, and creates its tools. Throws ConfigError for a name or version that no service can have. */
function openTools<S extends ConfigShape>(
  { defer, drain }: Pick<Service<S>, "defer" | "drain">,
  bus: Bus,
  description: ServiceDescription,
): OwnTools {
  const served = serve(bus, description);
  const tools = createTools(bus, () => served);
  defer(() => served.close());
  drain(
    (mode) => tools.drain(stopGraceMs[mode]),
    // A program without tools has no calls to tell of.
    (): Readonly<Record<string, number>> => (tools.calls() > 0 ? { calls: tools.calls() } : {}),
  );
  return tools;
}

function serve(bus: Bus, description: ServiceDescription): Served {
  try {
    return bus.serve(description);
  } catch (error) {
    throw error instanceof RangeError ? new ConfigError([error.message]) : error;
  }
}
