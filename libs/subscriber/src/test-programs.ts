import type { Bus } from "@voxbus/bus";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll } from "vitest";
import { startSubscriber, type Context, type Program, type Running } from "./index.ts";

/** A nats-server for a test file, a connection that plays the gateway, and programs that end after each test. */
export interface TestPrograms {
  readonly nats: NatsServer;
  readonly gateway: Bus;
  start(setup: (context: Context) => void | Promise<void>, program?: Partial<Program>): Promise<Running>;
  /** Starts a program that does nothing, and gives its context. */
  open(program?: Partial<Program>): Promise<{ readonly context: Context; readonly program: Running }>;
}

/** Prepares programs for the tests of a file. */
export function useTestPrograms(): TestPrograms {
  let nats: NatsServer;
  let gateway: Bus;
  const running: Running[] = [];
  beforeAll(async () => {
    nats = await startNatsServer();
    gateway = await connectTestBus(nats.url);
  });
  afterEach(async () => {
    for (const program of running.splice(0)) await program.stop("quick");
  });
  afterAll(async () => {
    await gateway?.close();
    await nats?.stop();
  });
  const start: TestPrograms["start"] = async (setup, program) => {
    const env = { VOXBUS_NATS_URL: nats.url, VOXBUS_LOG_LEVEL: "fatal" };
    const started = await startSubscriber({ name: "test", ...program }, setup as never, env);
    running.push(started);
    return started;
  };
  return {
    get nats() {
      return nats;
    },
    get gateway() {
      return gateway;
    },
    start,
    async open(program) {
      let context: Context | undefined;
      const started = await start((given) => void (context = given), program);
      return { context: context!, program: started };
    },
  };
}

/** Reads the metrics of a program. */
export async function readMetrics({ addresses }: Running): Promise<string> {
  return (await fetch(`${addresses["ops"]}/metrics`)).text();
}
