import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Bus } from "@voxbus/bus";
import { watchPresence, type PresenceView } from "@voxbus/presence";
import { connectTestBus, type NatsServer } from "@voxbus/testing";
import { launchSystem } from "../e2e/launcher.ts";
import type { Entrance } from "./device.ts";
import { signalAll } from "./signal-all.ts";
import { startModel, type Model } from "./model.ts";
import { startNats } from "./nats-cluster.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** The programs with jobs of turns. */
export const workers = ["asr", "tts", "dialogue"] as const;
export type Worker = (typeof workers)[number];
export type Program = Worker | "gateway" | "monitor";

/** The parts of a system. */
export interface WorldOptions {
  readonly gateways: number;
  /** The number of workers of each kind. */
  readonly each: 1 | 2;
  readonly nodes: 1 | 3;
  /** The engines: embedded, or a model server for dialogue or for tts. */
  readonly engines: "embedded" | "model" | "speech";
  readonly env: Readonly<Record<string, string>>;
}

/** A whole system in its own processes, with a connection to its bus. */
export interface World extends Entrance {
  readonly monitor: string;
  /** The way in for devices over MQTT. */
  readonly mqtt: Entrance;
  readonly nats: readonly NatsServer[];
  /** The model server, if the engines are not embedded. */
  readonly model: Model | undefined;
  /** The suite's own connection to the bus, which is lost too while NATS is away. */
  readonly bus: Bus;
  readonly presence: PresenceView;
  /** Lists the pids of a program. */
  pids(program: Program): readonly number[];
  /** Waits until all processes of a program are ready on their ops ports. */
  ready(program: Program): Promise<void>;
  /** Returns the addresses of a process: `ops`, and `device` for a gateway. */
  addresses(pid: number): Readonly<Record<string, string>>;
  output(): string;
  close(): Promise<void>;
}

/** Starts a system on free ports, with a temporary store. */
export async function openWorld({ gateways, each, nodes, engines, env }: WorldOptions): Promise<World> {
  const nats = await startNats(nodes);
  const model = engines === "embedded" ? undefined : await startModel();
  const url = nats.map((server) => server.url).join(",");
  const shared = {
    VOXBUS_NATS_URL: url,
    VOXBUS_NATS_REPLICAS: String(nodes),
    VOXBUS_LOG_FORMAT: "json",
    VOXBUS_MQTT_PORT: "0",
    VOXBUS_UDP_PORT: "0",
    // A device that interrupts each answer asks more than 20 times a minute.
    VOXBUS_MAX_TURNS_MIN: "1000",
    ...(model && (engines === "model" ? nameModel(model.url) : nameSpeech(model.url))),
    ...env,
  };
  const system = await launchSystem({ gateways, env: shared });
  const extras = each === 2 ? await Promise.all(workers.map((name) => startExtra(name, shared))) : [];
  // The launcher ends its programs itself.
  const endWithUs = () => signalAll("SIGINT", [system.pid, ...extras.map((extra) => extra.pid())]);
  process.once("exit", endWithUs);
  const bus = await connectTestBus(url, { replicas: nodes });
  const presence = await watchPresence(bus);
  const expected = (program: Program) => (program === "gateway" ? gateways : program === "monitor" ? 1 : each);
  const output = () => system.output() + extras.map((extra) => extra.output()).join("");
  const pids = (program: Program) => [
    ...system.processes(`apps/${program}/`).map(({ pid }) => pid),
    ...extras.filter((extra) => extra.program === program).map((extra) => extra.pid()),
  ];
  return {
    urls: system.devices,
    monitor: system.monitor,
    mqtt: {
      /** A gateway that was started again has a new port for MQTT, and its old one for WebSockets. */
      get urls() {
        const ports = new Map(readAddresses(output()).map(({ device = "", mqtt = "" }) => [device, mqtt]));
        return system.devices.map((device) => ports.get(device) ?? "");
      },
    },
    nats,
    model,
    bus,
    presence,
    pids,
    addresses: (pid) => readAddresses(output()).find((one) => one.pid === pid) ?? {},
    async ready(program) {
      for (;;) {
        const ops = readAddresses(output()).flatMap((one) => (one.name === program && one.ops ? [one.ops] : []));
        const answers = await Promise.all([...new Set(ops)].map(isReady));
        if (answers.filter(Boolean).length >= expected(program)) return;
        await sleep(50);
      }
    },
    output,
    async close() {
      process.off("exit", endWithUs);
      presence.close();
      await bus.close();
      await Promise.all(extras.map((extra) => extra.close()));
      await system.close();
      await model?.close();
      await Promise.all(nats.map((server) => server.stop()));
    },
  };
}

const nameModel = (url: string) => ({
  VOXBUS_LLM_ENGINE: "openai",
  VOXBUS_LLM_URL: url,
  VOXBUS_LLM_FIRST_TOKEN_MS: "3000",
  VOXBUS_LLM_NEXT_TOKEN_MS: "3000",
});
const nameSpeech = (url: string) => ({
  VOXBUS_TTS_ENGINE: "openai",
  VOXBUS_TTS_URL: url,
  VOXBUS_TTS_FIRST_SOUND_MS: "3000",
});

/** Reads the addresses from the ready lines of processes. */
function readAddresses(output: string) {
  return output.split("\n").flatMap((line) => {
    const at = line.indexOf("{");
    if (at < 0 || !line.includes('"msg":"ready"')) return [];
    return [
      JSON.parse(line.slice(at)) as {
        pid: number;
        name: string;
        ops?: string;
        device?: string;
        mqtt?: string;
      } & Record<string, string>,
    ];
  });
}

async function isReady(ops: string): Promise<boolean> {
  try {
    return (await fetch(`${ops}/readyz`, { signal: AbortSignal.timeout(1000) })).ok;
  } catch {
    return false; // no process listens there
  }
}

/** Starts a second worker beside the launcher's, and restarts it when it dies, as the launcher does. */
async function startExtra(program: Worker, env: Readonly<Record<string, string>>) {
  let child: ChildProcess;
  let output = "";
  let closing = false;
  let port = "0";
  const start = async (): Promise<void> => {
    child = spawn(process.execPath, [`apps/${program}/dist/main.js`], {
      cwd: root,
      env: { PATH: process.env["PATH"], ...env, [`VOXBUS_${program.toUpperCase()}_OPS_PORT`]: port },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (text) => (output += String(text)));
    child.once("exit", () => {
      if (!closing) setTimeout(() => void start(), 100);
    });
    const [message] = (await once(child, "message")) as [{ addresses: { ops: string } }];
    port = new URL(message.addresses.ops).port;
  };
  await start();
  return {
    program,
    pid: () => child.pid ?? 0,
    output: () => output,
    async close() {
      closing = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}
