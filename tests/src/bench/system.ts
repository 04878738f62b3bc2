import { readCpuMs, readPssKib, root, startChild, type Child } from "./child.ts";

/** The engines of a system: the loopback server that answers at once, or the embedded ones. */
export const engineKinds = ["instant", "embedded"] as const;
export type EngineKind = (typeof engineKinds)[number];

/** The programs in the order in which they are shown. */
export const programNames = ["nats", "gateway", "asr", "dialogue", "tools", "tts", "monitor"] as const;
export type ProgramName = (typeof programNames)[number];

/** One program of `npm start`. */
interface Listed {
  readonly program: Exclude<ProgramName, "nats">;
  readonly flags: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
  readonly main: string;
}

/** A whole system: the programs of `npm start`, each in its own process, on one nats-server. */
export interface System {
  /** The URLs for devices, one for each gateway. */
  readonly urls: readonly string[];
  /** The URL for devices over MQTT, if the first gateway takes them. */
  readonly mqtt: string;
  /** The URL of the monitor. */
  readonly monitor: string;
  /** The processes of a program. */
  pids(program: ProgramName): readonly number[];
  /** Reads the CPU time of each program, ms. */
  readCpu(): Readonly<Record<ProgramName, number>>;
  /** Reads the memory of each program, KiB. Shared pages are divided among the processes. */
  readPss(): Readonly<Record<ProgramName, number>>;
  /** Sends a signal to the processes of a program. */
  kill(program: Exclude<ProgramName, "nats">, signal: NodeJS.Signals): void;
  /** Lets every program end in order. */
  end(): Promise<void>;
  stop(): Promise<void>;
}

/** The choices of a system. */
export interface SystemOptions {
  readonly nats: { readonly url: string; readonly pid: number };
  /** The base URL of the openai engines; without it they are embedded. */
  readonly engines?: string | undefined;
  /** The numbers of processes; one each by default. */
  readonly counts?: Readonly<Partial<Record<ProgramName, number>>>;
  /** False starts Node without the flags and variables of `npm start`. */
  readonly usual?: boolean;
  /** Flags of Node for every program, after its own. */
  readonly flags?: (program: ProgramName) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Limits that one address, or one key, would reach long before the machine does. */
const raised = {
  VOXBUS_MAX_PER_ADDRESS: "1000000",
  VOXBUS_MAX_CONNECTIONS: "1000000",
  VOXBUS_MAX_CONNECTS_S: "1000000",
  VOXBUS_MAX_TURNS_MIN: "1000000",
  VOXBUS_MONITOR_CALLS_PER_MINUTE: "0",
};

/** Starts a system and resolves when every program is ready. Throws, and ends all, if one does not start. */
export async function startSystem(options: SystemOptions): Promise<System> {
  const { nats, engines, counts = {}, usual = true } = options;
  const list = (await listPrograms()).flatMap((one) => Array.from({ length: counts[one.program] ?? 1 }, () => one));
  const env: Readonly<Record<string, string>> = {
    VOXBUS_NATS_URL: nats.url,
    VOXBUS_LOG_LEVEL: "warn",
    VOXBUS_LLM_MODEL: "model",
    ...Object.fromEntries(list.map(({ program }) => [`VOXBUS_${program.toUpperCase()}_OPS_PORT`, "0"])),
    ...Object.fromEntries(["GATEWAY", "MONITOR"].map((name) => [`VOXBUS_${name}_PORT`, "0"])),
    ...Object.fromEntries(["ASR", "TTS", "LLM"].flatMap((name) => chooseEngine(name, engines))),
    ...raised,
    ...options.env,
  };
  const start = async ({ main, flags, variables, program }: Listed) => {
    const own = options.flags?.(program) ?? [];
    const chosen = usual ? { env: { ...variables, ...env }, flags: [...flags, ...own] } : { env, flags: own };
    return { program, child: await startChild(main, chosen) };
  };
  const running: { readonly program: ProgramName; readonly child: Child }[] = [];
  const stop = async () => {
    await Promise.all(running.map(({ child }) => child.stop()));
  };
  try {
    const started = await Promise.allSettled(list.map(start));
    running.push(...started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])));
    const failed = started.find((one) => one.status === "rejected");
    if (failed) throw failed.reason;
  } catch (error) {
    await stop();
    throw error;
  }
  const childrenOf = (program: ProgramName) => running.filter((one) => one.program === program);
  const pids = (program: ProgramName) =>
    program === "nats" ? [nats.pid] : childrenOf(program).map(({ child }) => child.pid);
  const sum = (read: (pid: number) => number) =>
    Object.fromEntries(
      programNames.map((program) => [program, pids(program).reduce((total, pid) => total + read(pid), 0)]),
    ) as Readonly<Record<ProgramName, number>>;
  return {
    urls: childrenOf("gateway").map(({ child }) => child.addresses["device"] ?? ""),
    mqtt: childrenOf("gateway")[0]?.child.addresses["mqtt"] ?? "",
    monitor: childrenOf("monitor")[0]?.child.addresses["monitor"] ?? "",
    pids,
    readCpu: () => sum(readCpuMs),
    readPss: () => sum(readPssKib),
    kill: (program, signal) => {
      for (const { child } of childrenOf(program)) child.kill(signal);
    },
    async end() {
      await Promise.all(running.map(({ child }) => child.end(endMs)));
    },
    stop,
  };
}

/** The time for a program to end in order, ms. */
const endMs = 30_000;

function chooseEngine(name: string, engines: string | undefined): readonly (readonly [string, string])[] {
  if (engines === undefined) return [[`VOXBUS_${name}_ENGINE`, "embedded"]];
  return [
    [`VOXBUS_${name}_ENGINE`, "openai"],
    [`VOXBUS_${name}_URL`, engines],
  ];
}

/** Lists the programs of `npm start`. */
export async function listPrograms(): Promise<readonly Listed[]> {
  const { listPrograms } = (await import(`${root}deploy/local/programs.mjs`)) as {
    readonly listPrograms: (options: { gateways: number; env: object }) => readonly Listed[];
  };
  return listPrograms({ gateways: 1, env: {} });
}

/** Adds up the values of all programs. */
export function addUp(values: Readonly<Record<ProgramName, number>>): number {
  return Object.values(values).reduce((sum, one) => sum + one, 0);
}
