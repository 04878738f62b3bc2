import { startFleet, type Fleet } from "../faults/fleet.ts";
import { learnReferences } from "../faults/learn.ts";
import { loadQuestions } from "../faults/questions.ts";
import { measureWait, type TurnRecord } from "../faults/turn.ts";
import type { ActivationMode } from "./admission.ts";
import { openCluster, type Cluster } from "./cluster.ts";
import { makeNextRelease, thisRelease } from "./release.ts";
import { createPlace, type Step } from "./steps.ts";

/** The result of a step: a row of the table. */
export interface Row {
  readonly name: string;
  /** How long the step took, ms. */
  readonly tookMs: number;
  readonly turns: number;
  readonly answered: number;
  readonly apologized: number;
  readonly lost: number;
  readonly doubled: number;
  /** Turns that were asked again, because the connection closed while the user spoke. */
  readonly asked: number;
  /** The longest waits of devices for sound, ms. */
  readonly medianMs: number;
  readonly maxMs: number;
  /** Everything that a device must not notice; empty if none did. */
  readonly problems: readonly string[];
}

/** The row of the turns after the last step. */
export const lastRow = "the end";
const fleetName = "cluster";
const calmMs = 60_000;
const stepMs = 300_000;
const recoverMs = 60_000;

/** Runs steps one after the other while devices talk without a pause, and reports each row. */
export async function runSteps(
  steps: readonly Step[],
  tell: {
    readonly begin: (name: string) => void;
    readonly row: (row: Row) => void;
    readonly log?: (text: string) => void;
  },
  { size, activation }: { readonly size: number; readonly activation: ActivationMode },
): Promise<readonly Row[]> {
  const questions = loadQuestions("whole");
  const next = makeNextRelease();
  let cluster: Cluster | undefined;
  try {
    tell.begin("three servers of NATS, two of each program, nginx");
    cluster = await openCluster(thisRelease, activation);
    const references = await learnReferences(cluster, questions);
    const fleet = startFleet(cluster, { name: fleetName, size, questions, references });
    const place = createPlace(cluster, next, fleetName);
    const missing = await fleet.awaitTurns(0, calmMs);
    if (missing.length > 0) throw new Error(`${missing.join(", ")} had no turn before the first step`);
    const rows: Row[] = [];
    let began = performance.now();
    for (const step of steps) {
      tell.begin(step.name);
      const from = performance.now();
      const failed = await attempt(step.happen(place), step.name);
      const done = performance.now();
      const late = await fleet.awaitTurns(done, recoverMs);
      const until = performance.now();
      const problems = [...failed, ...late.map((device) => `${device} had no turn after the step`)];
      rows.push(judge(step.name, fleet, { began, until, tookMs: done - from, problems }));
      began = until;
      tell.row(rows.at(-1)!);
      if (rows.at(-1)!.problems.length > 0) tell.log?.(cluster.output());
    }
    await fleet.stop();
    rows.push(judge(lastRow, fleet, { began, until: Infinity, tookMs: 0, problems: findDenials(cluster) }));
    tell.row(rows.at(-1)!);
    return rows;
  } finally {
    await cluster?.close();
    if (cluster) tell.log?.(cluster.output());
    next.remove();
  }
}

async function attempt(work: Promise<void>, name: string): Promise<readonly string[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`"${name}" did not end`)), stepMs);
  });
  try {
    await Promise.race([work, late]);
    return [];
  } catch (error) {
    return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  } finally {
    clearTimeout(timer);
  }
}

/** Judges the turns that ended in a span of time, so that each turn counts once. */
function judge(
  name: string,
  fleet: Fleet,
  span: {
    readonly began: number;
    readonly until: number;
    readonly tookMs: number;
    readonly problems: readonly string[];
  },
): Row {
  const { began, until, tookMs } = span;
  const isIn = (at: number | undefined) => at !== undefined && at > began && at <= until;
  const turns = fleet.turns().filter(({ outcome, endedAt }) => outcome !== undefined && isIn(endedAt));
  const count = (...outcomes: readonly TurnRecord["outcome"][]) =>
    turns.filter(({ outcome }) => outcomes.includes(outcome)).length;
  const strays = fleet.devices.flatMap(({ id, strays: all }) =>
    all.filter(({ at }) => isIn(at)).map(({ problem }) => `${id}: ${problem}`),
  );
  const waits = turns.flatMap((turn) => measureWait(turn, began) ?? []).toSorted((a, b) => a - b);
  const bad = turns.filter(({ outcome, doubled }) => doubled > 0 || outcome === "lost" || outcome === "cut");
  return {
    name,
    tookMs,
    turns: turns.length,
    answered: count("answered", "aborted"),
    apologized: count("apologized"),
    lost: count("lost", "cut"),
    doubled: turns.reduce((sum, { doubled }) => sum + doubled, 0) + strays.length,
    asked: count("unheard"),
    medianMs: waits[Math.floor(waits.length / 2)] ?? 0,
    maxMs: waits.at(-1) ?? 0,
    problems: [
      ...span.problems,
      ...bad.map(({ device, outcome, detail }) => `${device} ${outcome}: ${detail}`),
      ...strays,
    ],
  };
}

/** Finds what NATS did not permit: users of deploy/nats/accounts.conf that may do too little. */
function findDenials(cluster: Cluster): readonly string[] {
  return cluster.output().match(/^.*"msg":"NATS permission denied".*$/gm) ?? [];
}
