import { startNatsServer } from "@voxbus/testing";
import { startChild, type Child } from "./child.ts";
import { startSystem, type EngineKind, type ProgramName, type System } from "./system.ts";
import type { TalkRun } from "./talk.ts";
import { turnKinds } from "./talker.ts";

/** The mean pause between two turns of a device, ms: with it, each device has a turn every 8 to 9 s. */
export const pauseMs = 3300;

/** The choices of a system under load. */
export interface LoadSetting {
  readonly engines: EngineKind;
  /** The devices and the time of the warm-up, s. */
  readonly warmUp: { readonly devices: number; readonly seconds: number };
  readonly counts?: Readonly<Partial<Record<ProgramName, number>>>;
  readonly flags?: (program: ProgramName) => readonly string[];
  readonly progress: (text: string) => void;
}

/** A warm system with instant engines whose devices are connected and do not talk yet. */
export interface Talk {
  readonly natsUrl: string;
  /** Asks the process of the devices, such as for a `run`. */
  ask: Child["ask"];
  stop(): Promise<void>;
}

/** The system and the devices of a `Talk`. */
export type TalkSetting = Omit<LoadSetting, "engines"> & { readonly devices: number };

/** Starts a system, warms it up, and connects devices. */
export async function openTalk(setting: TalkSetting): Promise<Talk> {
  const bench = { ...setting, engines: "instant" } as const;
  const loads = await openLoads(bench);
  try {
    await warmUp(bench, loads);
    await connect(loads, setting.devices);
  } catch (error) {
    await loads.stop();
    throw error;
  }
  return { natsUrl: loads.natsUrl, ask: loads.load.ask, stop: loads.stop };
}

/** Starts all processes: nats-server, engines, devices and the system. */
export async function openLoads({ engines, counts, flags }: LoadSetting): Promise<Loads> {
  const nats = await startNatsServer();
  const children: Child[] = [];
  const stopAll = async () => {
    await Promise.all(children.map((child) => child.stop()));
    await nats.stop();
  };
  const start = async (name: string) => {
    const child = await startChild(name);
    children.push(child);
    return child;
  };
  try {
    const server = engines === "instant" ? await start("engines") : undefined;
    const load = await start("talk");
    const url = server?.addresses["engines"];
    const system = await startSystem({ nats, engines: url, ...(counts && { counts }), ...(flags && { flags }) });
    return {
      system,
      load,
      server,
      natsUrl: nats.url,
      async stop() {
        await system.stop();
        await stopAll();
      },
    };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

/** The processes of a load, and where they are. */
export interface Loads {
  readonly system: System;
  readonly load: Child;
  readonly server: Child | undefined;
  readonly natsUrl: string;
  stop(): Promise<void>;
}

/** Connects devices anew. Returns the time of each from its connection to its hello, ms. */
export async function connect({ system, load }: Loads, count: number): Promise<readonly number[]> {
  return load.ask<number[]>("connect", { urls: system.urls, prefix: "talker-", count });
}

/** Lets devices talk until the programs are warm. */
export async function warmUp(bench: LoadSetting, loads: Loads): Promise<void> {
  const { devices, seconds } = bench.warmUp;
  bench.progress(`turns, ${bench.engines} engines, warm-up with ${devices} devices`);
  await connect(loads, devices);
  const plan: TalkRun = { devices, seconds, kinds: turnKinds, spreadMs: 1000, pauseMs: 500 };
  await loads.load.ask("run", plan);
}
