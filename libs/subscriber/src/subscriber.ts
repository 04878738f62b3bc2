import { busConfig, connectBus, reportVitals, type Bus, type BusConfig } from "@voxbus/bus";
import {
  createVitals,
  run,
  startService,
  type Build,
  type ConfigShape,
  type Program,
  type Running,
  type Service,
} from "@voxbus/service";
import { createOn, type On } from "./on.ts";
import { createSend, type Send } from "./send.ts";

/** A program on the bus: its name, and its own environment variables as a zod shape. `opsPort` is any free one by default. */
export interface Subscriber<S extends ConfigShape> {
  readonly name: string;
  readonly config?: S;
  readonly opsPort?: number;
}

/** What a program has at hand, once it is connected: a process (config, log, meter, defer, …) and the bus. */
export interface Door<S extends ConfigShape = typeof busConfig> extends Service<S & typeof busConfig> {
  readonly on: On;
  readonly send: Send;
  /** Everything else: requests, claims, buckets. */
  readonly bus: Bus;
}

/** Puts the program together, and may give addresses for its ready line. */
export type Setup<S extends ConfigShape> = (
  door: Door<S>,
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
  program: Subscriber<S>,
  setup: Setup<S>,
): Promise<void> {
  await run(programOf(program), buildOf(program, setup));
}

/** The same without touching the process's signals, for tests: `env` is the environment, `stop` ends it. */
export async function startSubscriber<S extends ConfigShape = typeof busConfig>(
  program: Subscriber<S>,
  setup: Setup<S>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Running> {
  return startService(programOf(program), buildOf(program, setup), env);
}

const programOf = <S extends ConfigShape>(program: Subscriber<S>): Program<S & typeof busConfig> => ({
  name: program.name,
  opsPort: program.opsPort ?? 0,
  config: { ...busConfig, ...program.config } as S & typeof busConfig,
});

const logEveryMs = 1000;

const buildOf =
  <S extends ConfigShape>({ name }: Subscriber<S>, setup: Setup<S>): Build<S & typeof busConfig> =>
  async (service) => {
    const { config, log, meter } = service;
    const bus = await connectBus({ ...(config as unknown as BusConfig), name, meter }, log, service.signal);
    service.defer(() => bus.close());
    service.check("nats", () => bus.connected());
    const report = reportVitals(bus, { program: name, vitals: createVitals(), signal: service.signal });
    service.defer(() => report.close());

    meter
      .createObservableCounter("voxbus_subscriber_drops", { description: "messages that did not decode, by reason" })
      .addCallback((result) => {
        for (const [reason, count] of Object.entries(bus.stats().drops)) result.observe(count, { reason });
      });
    const failures = meter.createCounter("voxbus_subscriber_failures", { description: "handlers that threw" });
    let quietUntil = 0;
    const on = createOn(bus, (kind, error) => {
      failures.add(1, { on: kind });
      // A handler that fails at every frame must not bury the log.
      if (Date.now() < quietUntil) return;
      quietUntil = Date.now() + logEveryMs;
      log.error({ err: error, on: kind }, "a handler failed");
    });
    const addresses = await setup({ ...service, bus, on, send: createSend(bus) });
    // Ready means that every subscription stands.
    await bus.flush();
    return addresses;
  };
