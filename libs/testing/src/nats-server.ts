import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { connect } from "@nats-io/transport-node";

/** A nats-server of one's own. */
export interface NatsServer {
  readonly url: string;
  readonly pid: number;
  /** Sends a signal to it, such as SIGSTOP or SIGKILL. */
  kill(signal: NodeJS.Signals): void;
  /** Ends it, if it still runs, and starts it again on the same port; `wipe` forgets everything that was stored. */
  restart(options?: { readonly wipe?: boolean }): Promise<void>;
  /** Calls its JetStream API past the bus, such as `STREAM.PURGE.KV_presence`; gives the answer as it came. */
  callApi(path: string, body?: object): Promise<Record<string, unknown>>;
  /** Ends it and removes its store. */
  stop(): Promise<void>;
}

/**
 * Starts a nats-server with JetStream on a free port of 127.0.0.1, for tests and for development without `npm start`;
 * `config` is added to its settings. It ends with this process. Throws when there is no binary, or it does not start.
 */
export async function startNatsServer(options: { readonly config?: string } = {}): Promise<NatsServer> {
  const binary = await findBinary();
  const directory = mkdtempSync(join(tmpdir(), "voxbus-nats-"));
  const store = join(directory, "store");
  const settings = join(directory, "nats.conf");
  const port = await findFreePort();
  writeFileSync(
    settings,
    `listen: "127.0.0.1:${port}"
jetstream { store_dir: ${JSON.stringify(store)} }
no_fast_producer_stall: true
write_deadline: "2s"
${options.config ?? ""}
`,
  );

  let child: ChildProcess;
  const end = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  };
  const remove = (): void => {
    child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  };
  const start = async (): Promise<void> => {
    child = await spawnServer(binary, settings);
  };

  try {
    await start();
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  process.once("exit", remove);

  return {
    url: `nats://127.0.0.1:${port}`,
    get pid() {
      return child.pid ?? 0;
    },
    kill: (signal) => void child.kill(signal),
    restart: async ({ wipe = false } = {}) => {
      await end();
      if (wipe) rmSync(store, { recursive: true, force: true });
      await start();
    },
    callApi: async (path, body) => {
      const nc = await connect({ servers: `127.0.0.1:${port}` });
      try {
        const answer = await nc.request(`$JS.API.${path}`, body === undefined ? "" : JSON.stringify(body));
        return answer.json<Record<string, unknown>>();
      } finally {
        await nc.close();
      }
    },
    stop: async () => {
      process.off("exit", remove);
      await end();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function findBinary(): Promise<string> {
  if (process.env["VOXBUS_NATS_SERVER"]) return process.env["VOXBUS_NATS_SERVER"];
  const finder = fileURLToPath(new URL("../../../deploy/local/nats-server.mjs", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [finder]);
  return stdout.trim();
}

// nats-server takes a random port too (-1), but a restart must come back on the same one.
async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function spawnServer(binary: string, settings: string): Promise<ChildProcess> {
  const child = spawn(binary, ["-c", settings], { stdio: ["ignore", "ignore", "pipe"] });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stderr });
  await new Promise<void>((resolve, reject) => {
    child.once("error", (cause) => reject(new Error(`nats-server cannot be run: ${binary}`, { cause })));
    child.once("exit", () => reject(new Error(`nats-server ended at once:\n${lines.join("\n")}`)));
    reader.on("line", (line) => {
      lines.push(line);
      if (line.includes("Server is ready")) resolve();
    });
  });
  reader.removeAllListeners("line");
  child.stderr.resume();
  return child;
}
