import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startNatsServer } from "@voxbus/testing";
import { root, startChild } from "./child.ts";
import { addProfile, createFrame, drawFlames, type CpuProfile, type Frame } from "./flame-graph.ts";
import { now } from "./numbers.ts";
import { programNames, startSystem, type ProgramName } from "./system.ts";
import type { TalkRun } from "./talk.ts";
import { turnKinds } from "./talker.ts";

/** The folder of the graphs in the checkout. */
export const flamesFolder = `${root}docs/images/flames/`;

const programs = programNames.filter((name) => name !== "nats");
const usPerSample = 500;
/** The time of the load that is not drawn, in which code is compiled. */
const warmUpSeconds = 9;

/**
 * Lets devices talk to a whole system with instant engines while V8 profiles every thread of every program, and draws a
 * flame graph of each program. Returns the files.
 */
export async function drawAllFlames(options: {
  readonly devices: number;
  readonly seconds: number;
  readonly progress: (text: string) => void;
  readonly folder?: string;
}): Promise<readonly string[]> {
  const { devices, seconds, folder = flamesFolder } = options;
  const directory = mkdtempSync(join(tmpdir(), "voxbus-flames-"));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    const span = await profileSystem(directory, options);
    mkdirSync(folder, { recursive: true });
    return programs.map((program) => {
      options.progress(`flame graph of ${program}`);
      const frame = readProfiles(join(directory, program), span);
      const share = ((frame.time / 1000 / (span.to - span.from)) * 100).toFixed(0);
      const title = `${program}: ${devices} talking devices for ${seconds} s, ${share} % of a core, all threads`;
      const file = join(folder, `${program}.svg`);
      writeFileSync(file, drawFlames(frame, title));
      return file;
    });
  } finally {
    process.off("exit", remove);
    remove();
  }
}

interface Span {
  readonly from: number;
  readonly to: number;
}

/** Runs a system under load. Each program writes its profiles into a folder of its name. */
async function profileSystem(
  directory: string,
  options: { readonly devices: number; readonly seconds: number; readonly progress: (text: string) => void },
): Promise<Span> {
  const { devices, seconds, progress } = options;
  const nats = await startNatsServer();
  const engines = await startChild("engines");
  const load = await startChild("talk");
  try {
    const flags = (program: ProgramName) => [
      "--cpu-prof",
      `--cpu-prof-dir=${join(directory, program)}`,
      `--cpu-prof-interval=${usPerSample}`,
    ];
    const system = await startSystem({ nats, engines: engines.addresses["engines"], flags });
    try {
      progress(`${devices} devices talk for ${warmUpSeconds + seconds} s`);
      await load.ask("connect", { urls: system.urls, prefix: "flame-", count: devices });
      const plan: TalkRun = {
        devices,
        seconds: warmUpSeconds + seconds,
        kinds: turnKinds,
        spreadMs: 5000,
        pauseMs: 3300,
      };
      const running = load.ask("run", plan);
      running.catch(() => undefined);
      await sleep(warmUpSeconds * 1000);
      const from = now();
      await sleep(seconds * 1000);
      const to = now();
      await running;
      progress("the programs write their profiles");
      await system.end();
      return { from, to };
    } finally {
      await system.stop();
    }
  } finally {
    await Promise.all([load.stop(), engines.stop()]);
    await nats.stop();
  }
}

/** Reads the profiles of a program: one of its main thread, and one of each worker thread. */
function readProfiles(directory: string, span: Span): Frame {
  const all = createFrame("all threads");
  for (const file of readdirSync(directory)) {
    const profile = JSON.parse(readFileSync(join(directory, file), "utf8")) as CpuProfile;
    const name = nameThread(profile);
    let thread = all.children.get(name);
    if (!thread) all.children.set(name, (thread = createFrame(name)));
    const before = thread.time;
    addProfile(thread, profile, span);
    all.time += thread.time - before;
  }
  return all;
}

/** Names a thread by the file that it runs. */
function nameThread({ nodes }: CpuProfile): string {
  for (const { callFrame } of nodes) {
    const worker = /\/dist\/(?:.*\/)?([\w-]+-worker)\.js$/.exec(callFrame.url)?.[1];
    // The file that all worker threads share does not tell them apart.
    if (worker && worker !== "serve-worker") return `thread: ${worker}`;
  }
  return "main thread";
}
