import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connect } from "@nats-io/transport-node";
import { findFreePort } from "./free-port.ts";

/** A nats-server process. */
export interface NatsServer {
  readonly url: string;
  readonly pid: number;
  /** The directory of the store. */
  readonly store: string;
  /** Sends the process a signal, such as SIGSTOP or SIGKILL. After SIGSTOP it stands still. */
  kill(signal: NodeJS.Signals): void;
  /** Ends the process and starts a new one on the same port. `wipe` empties the store. */
  restart(options?: { readonly wipe?: boolean }): Promise<void>;
  /** Replaces the added settings, and makes nats-server read them. Resolves before they apply. */
  reload(config: string): void;
  /** Calls the JetStream API directly, such as `STREAM.PURGE.KV_voxbus_presence`, and returns the raw answer. */
  callApi(path: string, body?: object): Promise<Record<string, unknown>>;
  /** Ends the process and removes the store. */
  stop(): Promise<void>;
}

/**
 * Starts a nats-server with JetStream on a free port of 127.0.0.1. The binary is VOXBUS_NATS_SERVER, or the one on PATH.
 * `config` is added to its settings. It ends with this process. Throws if the binary is missing or does not start.
 */
export async function startNatsServer(options: { readonly config?: string } = {}): Promise<NatsServer> {
  const binary = process.env["VOXBUS_NATS_SERVER"] ?? "nats-server";
  const directory = mkdtempSync(join(tmpdir(), "voxbus-nats-"));
  const store = join(directory, "store");
  const settings = join(directory, "nats.conf");
  // nats-server takes a random port too (-1), but a restart must come back on the same one.
  const port = await findFreePort();
  const configure = (config = ""): void =>
    writeFileSync(
      settings,
      `listen: "127.0.0.1:${port}"
jetstream { store_dir: ${JSON.stringify(store)} }
no_fast_producer_stall: true
write_deadline: "2s"
${config}
`,
    );
  configure(options.config);

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
    store,
    get pid() {
      return child.pid ?? 0;
    },
    kill(signal) {
      child.kill(signal);
      if (signal === "SIGSTOP") awaitStop(child.pid ?? 0);
    },
    restart: async ({ wipe = false } = {}) => {
      await end();
      if (wipe) rmSync(store, { recursive: true, force: true });
      await start();
    },
    reload: (config) => {
      configure(config);
      child.kill("SIGHUP");
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

async function spawnServer(binary: string, settings: string): Promise<ChildProcess> {
  const child = spawn(binary, ["-c", settings], { stdio: ["ignore", "ignore", "pipe"] });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stderr });
  await new Promise<void>((resolve, reject) => {
    const hint = "set VOXBUS_NATS_SERVER to the path of one (`node deploy/local/nats-server.mjs` prints it)";
    child.once("error", (cause) => reject(new Error(`cannot run nats-server (${binary}); ${hint}`, { cause })));
    child.once("exit", () => reject(new Error(`nats-server ended while starting:\n${lines.join("\n")}`)));
    reader.on("line", (line) => {
      lines.push(line);
      if (line.includes("Server is ready")) resolve();
    });
  });
  reader.removeAllListeners("line");
  child.stderr.resume();
  return child;
}

/** Waits until each thread of a process stands still, which takes a moment. Throws an error if one still runs after 5 s. */
function awaitStop(pid: number): void {
  const tasks = `/proc/${pid}/task`;
  const until = performance.now() + 5000;
  const isStill = (state: string | undefined) => /^[TZX]/.test(state ?? "");
  const states = () => readdirSync(tasks).map((id) => readFileSync(`${tasks}/${id}/stat`, "utf8").split(") ").at(-1));
  while (!states().every(isStill)) if (performance.now() > until) throw new Error(`process ${pid} does not stop`);
}
