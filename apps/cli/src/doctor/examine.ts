import { isLoopback } from "@voxbus/service";
import type { Shell } from "../command.ts";
import { withAdmin } from "../connect-admin.ts";
import { connect, type ConnectShell } from "../connect.ts";
import { readWholeConfig, type WholeConfig } from "../programs/config-reports.ts";
import { judge, type Finding } from "./finding.ts";
import { checkHosts } from "./host-clocks.ts";
import { checkDescriptors, checkDisk, checkMemory, checkNode } from "./machine.ts";
import { checkClock, checkJetStream, checkPermissions, checkServer, checkStreams } from "./nats-checks.ts";
import { checkConfig, checkEngines, checkPorts } from "./program-checks.ts";

const usualConnections = 10_000;

/**
 * Examines the machine, the configuration, NATS and the engines, and yields each finding as it is known. It goes on when a
 * check fails. NATS and the engines are examined at the same time, because both mostly wait. Throws only the signal's reason.
 */
export async function* examine(shell: Shell, env: Shell["env"]): AsyncGenerator<Finding> {
  const { signal } = shell;
  yield checkNode();
  let config: WholeConfig | undefined;
  try {
    config = await readWholeConfig(env);
    yield* checkConfig(config);
  } catch (error) {
    signal.throwIfAborted();
    yield judge("config").skipped((error as Error).message);
  }
  const connections = Number(config?.variables.find(({ name }) => name === "VOXBUS_MAX_CONNECTIONS")?.value);
  yield checkDescriptors(Number.isInteger(connections) ? connections : usualConnections);
  yield checkMemory();
  if (config !== undefined) yield* await checkPorts(config);
  const engines = config === undefined ? Promise.resolve([]) : collect(checkEngines(env, signal));
  engines.catch(() => undefined); // it is awaited below
  yield* await examineNats({ ...shell, env });
  yield* await engines;
}

async function collect<Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Examines the hosts of the programs. Throws CommandError if NATS cannot be used. */
async function examineHosts(shell: ConnectShell): Promise<readonly Finding[]> {
  const bus = await connect(shell);
  try {
    return await checkHosts(bus, shell.signal);
  } finally {
    await bus.close();
  }
}

/** Examines NATS. If it cannot be reached, that is the only finding. */
async function examineNats(shell: Shell): Promise<readonly Finding[]> {
  const quiet = { ...shell, tell: () => undefined };
  try {
    return await withAdmin(quiet, async (admin) => {
      const streams = await admin.streams();
      const growth = streams.reduce((sum, { bytes, maxBytes }) => sum + Math.max(0, maxBytes - bytes), 0);
      const user = shell.env["VOXBUS_NATS_USER"] || "this account";
      const isLocal = isLoopback(new URL(`tcp://${admin.server().address}`).hostname);
      const folder = shell.env["VOXBUS_DATA_DIR"] || ".data";
      const own = await Promise.all([
        checkJetStream(admin, streams),
        checkPermissions(admin, user).catch((error: unknown) =>
          judge("permissions").failed(
            `NATS does not answer (${(error as Error).message})`,
            "Check that the server is well.",
          ),
        ),
      ]);
      return [
        checkServer(admin),
        ...own,
        ...checkStreams(streams),
        checkClock(admin.aheadMs()),
        ...(await examineHosts(quiet)),
        isLocal
          ? await checkDisk(folder, growth).catch((error: unknown) => judge("disk").skipped((error as Error).message))
          : judge("disk").skipped("NATS runs on another machine: look at the disk of its store there"),
      ];
    });
  } catch (error) {
    shell.signal.throwIfAborted();
    return [judge("nats").failed((error as Error).message, "Start it, or set VOXBUS_NATS_URL to where it runs.")];
  }
}
