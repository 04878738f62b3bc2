import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BucketRow, buckets } from "@voxbus/protocol";
import { connectTestBus, findFreePort, startNatsServer, type NatsServer } from "@voxbus/testing";
import { launchSystem, type LaunchedSystem } from "../e2e/launcher.ts";

/** A whole system as `npm start` starts it, on a nats-server with a monitoring port. */
export interface SoakSystem {
  readonly launched: LaunchedSystem;
  readonly nats: NatsServer;
  readonly device: string;
  /** The URL of the gateway's numbers. */
  readonly stats: string;
  /** The URL of nats-server's monitoring port. */
  readonly monitoring: string;
  readonly natsPid: number;
  /** The directory into which programs write their samples. */
  readonly directory: string;
  programs(): readonly { readonly name: string; readonly pid: number }[];
  keys(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}

const names = ["gateway", "asr", "dialogue", "tts", "monitor"] as const;

/** Starts a system on free ports, with a temporary store. `env` is added to the variables of its programs. */
export async function startSystem(env: Readonly<Record<string, string>> = {}): Promise<SoakSystem> {
  const port = await findFreePort();
  const nats = await startNatsServer({ config: `http: "127.0.0.1:${port}"` });
  const directory = mkdtempSync(join(tmpdir(), "voxbus-soak-"));
  const launched = await launchSystem({
    env: {
      VOXBUS_NATS_URL: nats.url,
      VOXBUS_LOG_LEVEL: "warn",
      VOXBUS_MAX_PER_ADDRESS: "1000000",
      NODE_OPTIONS: `--import ${new URL("../../dist/soak/inspect.js", import.meta.url).href}`,
      SOAK_DIRECTORY: directory,
      ...env,
    },
  }).catch(async (error: unknown) => {
    await nats.stop();
    throw error;
  });
  const bus = await connectTestBus(nats.url, { name: "soak" });
  const views = await Promise.all(
    Object.entries<BucketRow>(buckets).map(async ([name, row]) => [name, await bus.bucket(row).watch()] as const),
  );
  const device = launched.devices[0] ?? "";
  return {
    launched,
    nats,
    device,
    stats: new URL("/ws/stats", device.replace(/^ws/, "http")).href,
    monitoring: `http://127.0.0.1:${port}`,
    natsPid: nats.pid,
    directory,
    programs: () => names.flatMap((name) => launched.processes(`apps/${name}/`).map(({ pid }) => ({ name, pid }))),
    keys: () => Object.fromEntries(views.map(([name, view]) => [name, view.entries.size])),
    async close() {
      await bus.close();
      await launched.close();
      await nats.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
