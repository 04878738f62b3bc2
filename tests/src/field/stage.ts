import type { Bus } from "@voxbus/bus";
import { buckets, type Profile } from "@voxbus/protocol";
import {
  connectTestBus,
  createTone,
  dialects,
  startModelServer,
  startNatsServer,
  type ModelServer,
  type NatsServer,
  type OddHost,
} from "@voxbus/testing";
import { writeWav } from "@voxbus/audio";
import { connectDevice, type FieldDevice, type FieldDeviceOptions } from "./device.ts";
import { startProgram, type RunningProgram } from "./program.ts";

/** The programs of the running system. */
export const programNames = ["gateway", "asr", "dialogue", "tts"] as const;
export type ProgramName = (typeof programNames)[number];

/** A running system for cases. */
export interface Stage {
  /** The server of the language model, the recognizer and the voice. A case sets its script and dialect. */
  readonly server: ModelServer;
  readonly nats: NatsServer;
  readonly bus: Bus;
  /** The URL for devices. */
  readonly url: string;
  program(name: ProgramName): RunningProgram;
  /** Connects a device of this case. */
  connect(options?: FieldDeviceOptions): Promise<FieldDevice>;
  /** Ends a program of the system and starts it again, without memory of earlier cases. */
  restart(name: ProgramName, env?: Readonly<Record<string, string>>): Promise<void>;
  /** Starts one more program, which ends with the case. It has the system's NATS and server. */
  start(name: string, host?: OddHost): Promise<RunningProgram>;
  /** Stores settings of a device. */
  setProfile(device: string, profile: Partial<Profile>): Promise<void>;
  /** Everything that the system's programs have printed in this case. */
  log(): string;
  /** Calls `end` after the case. */
  defer(end: () => unknown): void;
}

/** A stage, with the functions of its runner. */
export interface OpenStage extends Stage {
  /** Begins a case: the server behaves well again. */
  begin(): void;
  /** Ends a case: what it has opened. Restarts programs that it changed or that are gone. */
  finish(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** The sound of a server that behaves well: 180 ms of a tone of 440 Hz. */
export const tone = writeWav({ sampleRate: 24_000, samples: createTone(24_000, 180) });

/** Starts a system on free ports with its own nats-server. */
export async function openStage(): Promise<OpenStage> {
  const nats = await startNatsServer();
  const server = await startModelServer();
  const base = {
    VOXBUS_NATS_URL: nats.url,
    VOXBUS_MAX_PER_ADDRESS: "1000",
    VOXBUS_MAX_TURNS_MIN: "1000",
    VOXBUS_LLM_FIRST_TOKEN_MS: "3000",
    VOXBUS_LLM_NEXT_TOKEN_MS: "3000",
    ...Object.fromEntries(
      ["ASR", "LLM", "TTS"].flatMap((role) => [
        [`VOXBUS_${role}_ENGINE`, "openai"],
        [`VOXBUS_${role}_URL`, server.url],
      ]),
    ),
  };
  const startOwn = (name: string, host: OddHost = {}) => startProgram(name, { ...host, env: { ...base, ...host.env } });
  const programs = new Map(await Promise.all(programNames.map(async (name) => [name, await startOwn(name)] as const)));
  const bus = await connectTestBus(nats.url, { name: "field" });
  const changed = new Set<ProgramName>();
  const printed = new Map<RunningProgram, number>();
  const ends: (() => unknown)[] = [];
  let devices = 0;

  const program = (name: ProgramName) => programs.get(name)!;
  const url = () => program("gateway").addresses["device"] ?? "";
  const restart = async (name: ProgramName, env?: Readonly<Record<string, string>>) => {
    await program(name).end("SIGKILL");
    programs.set(name, await startOwn(name, env ? { env } : {}));
    if (env) changed.add(name);
    else changed.delete(name);
  };
  const log = () => [...programs.values()].map((one) => one.output().slice(printed.get(one) ?? 0)).join("");
  return {
    server,
    nats,
    bus,
    get url() {
      return url();
    },
    program,
    async connect(options = {}) {
      const device = await connectDevice(url(), { id: `field-${(devices += 1)}`, ...options });
      ends.push(() => device.connection.vanish());
      return device;
    },
    restart,
    async start(name, host) {
      const started = await startOwn(name, host);
      ends.push(() => started.end("SIGKILL"));
      return started;
    },
    async setProfile(device, profile) {
      await bus.bucket(buckets.profiles).put(device, profile);
    },
    log,
    defer: (end) => void ends.push(end),
    begin() {
      for (const one of programs.values()) printed.set(one, one.output().length);
      server.dialect = dialects.openai;
      Object.assign(server.script, { chat: () => ["Fine."], transcribe: () => "Hello there.", speak: () => tone });
    },
    async finish() {
      for (const end of ends.splice(0).toReversed()) await end();
      const problems = /"msg":"(?:unexpected error|too many unexpected errors[^"]*)"/.exec(log()) ?? [];
      for (const name of changed) await restart(name);
      return [...problems];
    },
    async close() {
      await bus.close();
      await Promise.all([...programs.values()].map((one) => one.end("SIGKILL")));
      await server.close();
      await nats.stop();
    },
  };
}
