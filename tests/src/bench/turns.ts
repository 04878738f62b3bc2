import { setTimeout as sleep } from "node:timers/promises";
import { channels, outcomeOf } from "@voxbus/protocol";
import { connectTestBus } from "@voxbus/testing";
import { readCpuMs, type Child } from "./child.ts";
import { watchMachine } from "./machine.ts";
import { describeTail, type Tail } from "./numbers.ts";
import { addUp, programNames, type EngineKind, type ProgramName, type System } from "./system.ts";
import { connect, openLoads, pauseMs, warmUp, type Loads, type LoadSetting } from "./talk-system.ts";
import type { TalkResult, TalkRun, TimedTurn } from "./talk.ts";
import { endings, turnKinds, type Ending } from "./talker.ts";

/** The turns of a number of talking devices. Times in ms, memory in MiB, shares from 0 to 1. */
export interface TurnRow {
  readonly engines: EngineKind;
  readonly devices: number;
  readonly turns: number;
  readonly hello: Tail;
  /** From the text to the first sound of the answer, of typed turns. */
  readonly text: Tail;
  /** From the end of speech to the transcript, from there to the first sound, and both together. */
  readonly transcript: Tail;
  readonly beyond: Tail;
  readonly speech: Tail;
  /** The share of packets that came more than 65 and 120 ms after the one before. */
  readonly over65: number;
  readonly over120: number;
  /** From the abort to silence. */
  readonly silence: Tail;
  readonly ended: Readonly<Record<Ending, number>>;
  /** The outcomes of the gateway's events. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Turns whose device was told that it has to wait, or that there is no answer, and how soon. */
  readonly told: Tail;
  /** Turns that were answered after a notice. They are not part of the latencies above. */
  readonly late: number;
  /** Turns whose device got no notice, and no answer either, or only one that came later than `lateMs`. */
  readonly untold: number;
  /** CPU time per turn, ms, of all programs and of each. */
  readonly cpu: number;
  readonly cpuOf: Readonly<Record<ProgramName, number>>;
  /** Cores used by the programs, by the engines' server and the generator, and by others. */
  readonly cores: number;
  readonly enginesCores: number;
  readonly loadCores: number;
  readonly othersCores: number;
  /** The delay of the generator's event loop, p99. */
  readonly loopDelay: number;
  readonly closed: number;
  /** The most memory of all programs, and what each device adds to that of the system at rest. */
  readonly pss: number;
  readonly pssPerDevice: number;
}

/** The sound of an answer straight from the engines, without a bus: ms from the question to the first byte of sound. */
export interface EnginesRow {
  readonly engines: EngineKind;
  readonly alone: Tail;
}

/** The setting of part c. */
export interface TurnBench extends LoadSetting {
  readonly devices: readonly number[];
  /** The measured time of each number of devices, s. */
  readonly seconds: number;
  /** Called with each row as soon as it is measured. */
  readonly onRow: (row: TurnRow) => void;
}

/** The time in which the first turns of a run begin, ms: about that of a turn and a pause, for a steady load. It is not measured. */
const spreadMs = 8500;
const restMs = 2000;
/** The wait for a first sound, beyond the transcript, after which a device should have been told, ms. */
export const lateMs = 2000;

/** Runs part c with one kind of engines: a whole system, and more and more devices that talk. Returns the baseline. */
export async function measureTurns(bench: TurnBench): Promise<EnginesRow | undefined> {
  const loads = await openLoads(bench);
  try {
    if (bench.warmUp.seconds > 0) await warmUp(bench, loads);
    await sleep(restMs);
    const rest = addUp(loads.system.readPss()) / 1024;
    for (const devices of bench.devices) bench.onRow(await measureDevices(bench, loads, { devices, rest }));
    const url = loads.server?.addresses["engines"];
    return url === undefined ? undefined : { engines: bench.engines, alone: await measureEngines(url) };
  } finally {
    await loads.stop();
  }
}

async function measureDevices(
  bench: TurnBench,
  loads: Loads,
  { devices, rest }: { readonly devices: number; readonly rest: number },
): Promise<TurnRow> {
  const { system, load, server } = loads;
  bench.progress(`turns, ${bench.engines} engines, ${devices} devices`);
  const hello = describeTail(await connect(loads, devices));
  const outcomes = await countOutcomes(loads.natsUrl);
  const memory = watchMemory(system);
  const spread = Math.min(spreadMs, bench.seconds * 500);
  const plan: TalkRun = {
    devices,
    seconds: bench.seconds + spread / 1000,
    kinds: turnKinds,
    spreadMs: spread,
    pauseMs,
  };
  const running = load.ask<TalkResult>("run", plan);
  running.catch(() => undefined);
  try {
    await sleep(spread);
    const machine = watchMachine();
    const before = readAll(system, load, server);
    await sleep(bench.seconds * 1000);
    const after = readAll(system, load, server);
    const { seconds, others } = machine();
    const result = await running;
    const used = (read: (all: typeof before) => number) => read(after) - read(before);
    const cpuOf = Object.fromEntries(
      programNames.map((name) => [name, used(({ programs }) => programs[name])]),
    ) as Readonly<Record<ProgramName, number>>;
    // The CPU time of a while belongs to the turns that ended in it: those half done at its two ends are about as many.
    const within = ({ ended }: TimedTurn) => ended >= spread && ended < spread + bench.seconds * 1000;
    const done = Math.max(1, result.turns.filter(within).length);
    // A quick run is shorter than a turn and a pause: it has the turns that were in progress, too.
    const isMeasured = ({ began, ended }: TimedTurn) => (spread < spreadMs ? ended : began) >= spread;
    const pss = memory.end();
    return {
      engines: bench.engines,
      devices,
      hello,
      ...summarize(result.turns.filter(isMeasured)),
      outcomes: await outcomes.end(),
      cpu: addUp(cpuOf) / done,
      cpuOf: Object.fromEntries(programNames.map((name) => [name, cpuOf[name] / done])) as typeof cpuOf,
      cores: addUp(cpuOf) / 1000 / seconds,
      enginesCores: used(({ engines }) => engines) / 1000 / seconds,
      loadCores: used(({ generator }) => generator) / 1000 / seconds,
      othersCores: others,
      loopDelay: result.loopDelay,
      closed: result.closed,
      pss,
      pssPerDevice: (pss - rest) / devices,
    };
  } finally {
    memory.end();
    await outcomes.end();
  }
}

function readAll(system: System, load: Child, server: Child | undefined) {
  return {
    programs: system.readCpu(),
    generator: readCpuMs(load.pid),
    engines: server ? readCpuMs(server.pid) : 0,
  };
}

/** Summarizes turns as the devices saw them. */
export function summarize(
  turns: readonly TimedTurn[],
): Pick<
  TurnRow,
  | "turns"
  | "text"
  | "transcript"
  | "beyond"
  | "speech"
  | "over65"
  | "over120"
  | "silence"
  | "ended"
  | "told"
  | "late"
  | "untold"
> /* prettier-ignore */ {
  const spoken = turns.filter(({ kind }) => kind === "spoken");
  // Who was told to wait does not wait in silence.
  const isAtOnce = ({ told }: TimedTurn) => told === undefined;
  const [spokenAtOnce, typedAtOnce] = [spoken, turns.filter(({ kind }) => kind !== "spoken")].map((some) =>
    some.filter(isAtOnce),
  ) as [TimedTurn[], TimedTurn[]];
  const waited = ({ firstSound = Infinity, transcript = 0 }: TimedTurn) => firstSound - transcript;
  const tail = (some: readonly TimedTurn[], read: (turn: TimedTurn) => number | undefined) =>
    describeTail(some.map(read).filter((value) => value !== undefined));
  const gaps = turns.flatMap((turn) => turn.gaps);
  const over = (ms: number) => gaps.filter((gap) => gap > ms).length / Math.max(1, gaps.length);
  const count = (ending: Ending) => turns.filter((turn) => turn.ending === ending).length;
  return {
    turns: turns.length,
    text: tail(typedAtOnce, ({ firstSound }) => firstSound),
    transcript: tail(spoken, ({ transcript }) => transcript),
    beyond: tail(spokenAtOnce, ({ firstSound, transcript = Number.NaN }) =>
      firstSound === undefined ? undefined : firstSound - transcript,
    ),
    speech: tail(spokenAtOnce, ({ firstSound }) => firstSound),
    over65: over(65),
    over120: over(120),
    silence: tail(turns, ({ silence }) => silence),
    ended: Object.fromEntries(endings.map((ending) => [ending, count(ending)])) as TurnRow["ended"],
    told: tail(turns, ({ told }) => told),
    late: turns.filter((turn) => turn.ending === "answered" && !isAtOnce(turn)).length,
    untold: turns.filter((turn) => isAtOnce(turn) && (turn.ending !== "answered" || waited(turn) > lateMs)).length,
  };
}

/** Counts the outcomes of turns as the gateways publish them. */
async function countOutcomes(url: string): Promise<{ end(): Promise<Readonly<Record<string, number>>> }> {
  const bus = await connectTestBus(url, { name: "bench" });
  const counts: Record<string, number> = {};
  bus.subscribe(channels.event(), ({ turn }) => {
    if (turn?.origin === undefined) return;
    const outcome = outcomeOf(turn);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  });
  await bus.flush();
  return {
    async end() {
      await bus.close();
      return counts;
    },
  };
}

const memoryMs = 1000;

/** Watches the memory of a system. `end` gives the most, MiB. */
function watchMemory(system: System): { end(): number } {
  let most = 0;
  const look = () => (most = Math.max(most, addUp(system.readPss()) / 1024));
  const timer = setInterval(look, memoryMs);
  return {
    end() {
      clearInterval(timer);
      return most;
    },
  };
}

/** Asks the engines alone for an answer and its sound, one after the other, as often as a distribution needs. */
async function measureEngines(url: string): Promise<Tail> {
  const times: number[] = [];
  const post = async (path: string, body: object) =>
    fetch(`${url}${path}`, { method: "POST", body: JSON.stringify(body) });
  for (let round = 0; round < 200; round += 1) {
    const began = performance.now();
    await (await post("/chat/completions", { stream: true })).text();
    const sound = await post("/audio/speech", { input: "" });
    await sound.body?.getReader().read();
    times.push(performance.now() - began);
    await sound.body?.cancel().catch(() => undefined);
  }
  // The first rounds are a warm-up.
  return describeTail(times.slice(50));
}
