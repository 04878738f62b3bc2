import { setTimeout as sleep } from "node:timers/promises";
import { watchPresence } from "@voxbus/presence";
import type { Fault } from "./fault.ts";
import { startFleet, type Fleet } from "./fleet.ts";
import type { References } from "./judge.ts";
import type { Questions } from "./questions.ts";
import { signalAll } from "./signal-all.ts";
import { awaitMoment } from "./stage.ts";
import { measureWait, type TurnRecord } from "./turn.ts";
import type { World } from "./world.ts";

/** The result of a fault: a row of the table. */
export interface Row {
  readonly name: string;
  readonly turns: number;
  readonly answered: number;
  readonly apologized: number;
  /** Turns without an answer; `cut` is the number of those whose socket died. */
  readonly lost: number;
  readonly cut: number;
  readonly doubled: number;
  /** The longest waits of devices for sound, ms. */
  readonly medianMs: number;
  readonly maxMs: number;
  /** The time from the repair until presence was correct, ms. */
  readonly presenceMs: number;
  readonly mayLose?: string;
  /** True if a device waited longer for sound than promised, for which a busy machine is enough. */
  readonly late: boolean;
  /** All problems; empty if the system survived the fault. */
  readonly problems: readonly string[];
}

const usualSize = 6;
const calmMs = 40_000;
const happenMs = 150_000;
const recoverMs = 60_000;
const presenceMs = 12_000;

/** Causes a fault while devices talk, and judges the messages that they received. */
export async function runFault(
  fault: Fault,
  world: World,
  know: { readonly questions: Questions; readonly references: References },
): Promise<Row> {
  const name = fault.name.replaceAll(/[^a-z0-9]+/gi, "-").slice(0, 40);
  const id = `${name}-${Date.now().toString(36)}`;
  const entrance = fault.isMqtt ? world.mqtt : world;
  const fleet = startFleet(entrance, { name: id, size: fault.devices ?? usualSize, ...know });
  const problems: string[] = [];
  let began = 0;
  const begin = () => {
    began ||= performance.now();
  };
  for (const device of await fleet.awaitTurns(0, calmMs)) problems.push(`${device} had no turn before the fault`);
  const happening = fault.happen({
    world,
    entrance,
    fleet,
    begin,
    sleep: (ms) => sleep(ms),
    next: (moment) => awaitMoment(world, moment, id),
    strike(signal, pids) {
      begin();
      signalAll(signal, pids);
    },
    complain: (problem) => problems.push(problem),
  });
  try {
    await bound(happening, happenMs, `"${fault.name}" did not end`);
  } catch (error) {
    await fleet.stop();
    throw error;
  }
  begin();
  const mended = performance.now();
  const [missing, presence] = await Promise.all([
    fleet.awaitTurns(mended, recoverMs),
    awaitPresence(world, fleet, id, mended),
  ]);
  for (const device of missing) problems.push(`${device} had no turn after the fault`);
  await fleet.stop();
  const row = judge(fault, fleet, { began, mended, presence });
  return { ...row, problems: [...problems, ...row.problems] };
}

function judge(
  fault: Fault,
  fleet: Fleet,
  { began, mended, presence }: { readonly began: number; readonly mended: number; readonly presence: number },
): Row {
  const turns = fleet.turns().filter(({ outcome }) => outcome !== undefined);
  const during = turns.filter((turn) => turn.beganAt < mended && turn.endedAt! > began);
  const counted = during.filter(({ outcome }) => outcome !== "unheard");
  const count = (outcome: TurnRecord["outcome"]) => counted.filter((turn) => turn.outcome === outcome).length;
  const waits = counted
    .filter(({ outcome }) => outcome !== "cut")
    .flatMap((turn) => measureWait(turn, began) ?? [])
    .sort((a, b) => a - b);
  const strays = fleet.devices.flatMap((device) =>
    device.strays.map(({ at, problem }) => `${device.id}: ${problem} (${seconds(at - began)} after the fault)`),
  );
  const doubled = counted.reduce((sum, turn) => sum + turn.doubled, 0) + strays.length;
  const cut = count("cut");
  const lost = count("lost") + cut;
  const maxMs = waits.at(-1) ?? 0;
  const tell = (turn: TurnRecord) =>
    `${turn.device} ${turn.outcome}: ${turn.detail} (asked ${seconds(turn.beganAt - began)}, ended ${seconds(turn.endedAt! - began)} after the fault)`;
  const outside = turns.filter((turn) => !during.includes(turn));
  const problems = [
    ...counted.filter((turn) => isBad(turn, fault)).map(tell),
    ...outside
      .filter(({ outcome }) => outcome !== "answered" && outcome !== "aborted" && outcome !== "unheard")
      .map(tell),
    ...strays,
    ...(presence > presenceMs ? [`presence was not correct ${seconds(presenceMs)} after the fault`] : []),
    ...(counted.length === 0 ? ["no turn was in flight"] : []),
  ];
  return {
    name: fault.name,
    turns: counted.length,
    answered: count("answered") + count("aborted"),
    apologized: count("apologized"),
    lost,
    cut,
    doubled,
    medianMs: waits[Math.floor(waits.length / 2)] ?? 0,
    maxMs,
    presenceMs: presence,
    late: fault.withinMs !== undefined && maxMs > fault.withinMs,
    ...(fault.mayLose === undefined ? {} : { mayLose: fault.mayLose.why }),
    problems,
  };
}

function isBad({ outcome, doubled, spoken, soundAt }: TurnRecord, { mayLose }: Fault): boolean {
  if (doubled > 0) return true;
  if (outcome === "cut") return mayLose?.what !== "cut";
  return outcome === "lost" && !(mayLose?.what === "speech" && spoken && soundAt.length === 0);
}

/** Waits until presence is correct for every device. Resolves with the time since `since`, ms. */
async function awaitPresence({ bus }: World, fleet: Fleet, id: string, since: number): Promise<number> {
  const isCorrect = async () => {
    // A new watch each time, since an open one may miss that the bucket was wiped.
    const view = await watchPresence(bus);
    const online = new Map([...view.devices()].filter(([device]) => device.startsWith(id)));
    view.close();
    const open = fleet.devices.filter(({ session }) => session !== undefined);
    return open.length === online.size && open.every((device) => online.get(device.id)?.session === device.session);
  };
  // It must stay correct for a while, since a device may be reconnecting.
  let correctSince: number | undefined;
  for (;;) {
    const now = performance.now();
    if (!(await isCorrect())) correctSince = undefined;
    else if (now - (correctSince ??= now) > 1000) return correctSince - since;
    if (now - since > presenceMs + 3000) return now - since;
    await sleep(200);
  }
}

/** Makes the row of a fault that failed to run. */
export function failedRow(name: string, error: unknown): Row {
  const nothing = {
    turns: 0,
    answered: 0,
    apologized: 0,
    lost: 0,
    cut: 0,
    doubled: 0,
    medianMs: 0,
    maxMs: 0,
    presenceMs: 0,
  };
  return {
    name,
    ...nothing,
    late: false,
    problems: [error instanceof Error ? (error.stack ?? error.message) : String(error)],
  };
}

async function bound<T>(work: Promise<T>, ms: number, problem: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(problem)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
