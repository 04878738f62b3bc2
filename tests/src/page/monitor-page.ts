import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { connectTestBus, startNatsServer } from "@voxbus/testing";

/** A monitor in its own process with its own nats-server, without any other program. */
export interface MonitorProcess {
  readonly nats: string;
  readonly bus: Awaited<ReturnType<typeof connectTestBus>>;
  /** The address of the page, which ends in a slash. */
  readonly page: string;
  /** Returns everything that the monitor has logged so far. */
  output(): string;
  close(): Promise<void>;
}

/** Starts a monitor once `prepare` has filled the bus. `env` is added to its variables. */
export async function startMonitor(
  env: Readonly<Record<string, string>> = {},
  prepare: (bus: MonitorProcess["bus"]) => Promise<void> = async () => undefined,
): Promise<MonitorProcess> {
  const nats = await startNatsServer();
  const bus = await connectTestBus(nats.url);
  await prepare(bus);
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("VOXBUS_"));
  const monitor = fork(fileURLToPath(new URL("../../../apps/monitor/dist/main.js", import.meta.url)), {
    env: {
      ...Object.fromEntries(inherited),
      VOXBUS_NATS_URL: nats.url,
      VOXBUS_MONITOR_PORT: "0",
      VOXBUS_MONITOR_OPS_PORT: "0",
      ...env,
    },
    execArgv: [],
    silent: true,
  });
  let output = "";
  for (const stream of [monitor.stdout, monitor.stderr])
    stream?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [ready] = (await once(monitor, "message")) as [{ readonly addresses: Record<string, string> }];
  return {
    nats: nats.url,
    bus,
    page: ready.addresses["monitor"]!,
    output: () => output,
    async close() {
      if (monitor.kill("SIGINT")) await once(monitor, "exit");
      await bus.close();
      await nats.stop();
    },
  };
}
