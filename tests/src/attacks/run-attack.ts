import { setTimeout as sleep } from "node:timers/promises";
import { describeSpread } from "../bench/numbers.ts";
import { readStats } from "../fuzz/stats.ts";
import { takeSample, type Sample } from "../soak/sample.ts";
import type { Attack, Scene, Target } from "./attack.ts";
import { bounds, describeFigures, judge, type Circumstances, type Course, type Phase } from "./judge.ts";
import type { Stand } from "./stand.ts";
import { ask } from "./tools.ts";

/** The durations of a form of the suite, ms. */
export interface Plan {
  /** Before an attack, and after it. */
  readonly calmMs: number;
  readonly attackMs: number;
  /** From the end of an attack to the phase after it. */
  readonly settleMs: number;
  /** The share of the long form's numbers. */
  readonly scale: number;
  readonly bystanders: number;
  /** The factor for the floors of the bounds, beside other tests on the same machine. */
  readonly noise: number;
}

/** The result of an attack: a row of the table. */
export interface Row {
  readonly name: string;
  readonly title: string;
  /** Undefined if the attack could not be run. */
  readonly course?: Course;
  readonly notes: Readonly<Record<string, number>>;
  /** Everything that the attack did to others; empty if it stayed with the attacker. */
  readonly failures: readonly string[];
}

/** How often and how long to wait for what an attack leaves behind. */
const tries = 4;
const againMs = 4000;
const probeMs = 1000;
/** Longer than a gateway waits for an answer before it apologizes, ms (docs/bus.md). */
const giveUpMs = 20_000;
/** The longest time from the end of an attack's duration to its end, ms. */
const endMs = 60_000;

/** Attacks a system beside talking bystanders, and judges what they and the programs noticed. */
export async function runAttack(attack: Attack, stand: Stand, plan: Plan): Promise<Row> {
  const { name, title } = attack;
  const { target } = stand;
  const circumstances = {
    isOutage: attack.outage !== undefined,
    writesKeys: attack.writesKeys === true,
    noise: plan.noise,
    expected: attack.logs,
  };
  const notes: Record<string, number> = {};
  const complaints = new Set<string>();
  try {
    await takePhase(stand);
    await sleep(plan.calmMs);
    const before = await takePhase(stand);
    const heldBefore = await takeSample(target.system);
    const bufferedBefore = (await readStats(target.port)).buffered;
    await takePhase(stand);
    const ms = Math.max(plan.attackMs, plan.scale === 1 ? (attack.leastMs ?? 0) : 0);
    const scene = setScene(target, { ms, scale: plan.scale, notes, complaints });
    await bound(Promise.all([attack.run(scene), probe(scene)]), ms + endMs);
    const during = await takePhase(stand);
    for (const { program, peakHandles } of during.stretch.vitals)
      if (peakHandles > (attack.mostHandles ?? Infinity)) complaints.add(`${program} used ${peakHandles} descriptors`);
    await sleep(plan.settleMs + (circumstances.isOutage ? giveUpMs : 0));
    // Turns that an outage made impossible end here.
    if (circumstances.isOutage) await takePhase(stand);
    await sleep(plan.calmMs);
    const after = await takePhase(stand);
    const known = { heldBefore, before, during, after };
    const heldAfter = await awaitRest(target, known, { bufferedBefore, complaints, circumstances });
    const course = { ...known, heldAfter };
    return { name, title, course, notes, failures: [...judge(course, circumstances), ...complaints] };
  } catch (error) {
    const failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { name, title, notes, failures: [failure, ...complaints] };
  }
}

async function takePhase({ bystander, watch }: Stand): Promise<Phase> {
  const figures = describeFigures(await bystander.take(), describeSpread);
  return { figures, stretch: watch.lap() };
}

function setScene(
  target: Target,
  options: { readonly ms: number; readonly scale: number; readonly notes: Record<string, number>; readonly complaints: Set<string> }, // prettier-ignore
): Scene {
  const { ms, scale, notes, complaints } = options;
  const until = performance.now() + ms;
  return {
    ...target,
    ms,
    over: sleep(ms),
    get isOver() {
      return performance.now() >= until;
    },
    scale: (count) => Math.max(1, Math.round(count * scale)),
    note: (what, count = 1) => void (notes[what] = (notes[what] ?? 0) + count),
    complain: (problem) => void complaints.add(problem),
  };
}

/** Asks every operations port and the monitor for a sign of life while an attack lasts. */
async function probe(scene: Scene): Promise<void> {
  const asked = [
    ...[...scene.ops].map(([name, url]) => [name, `${url}/livez`] as const),
    ["monitor's page", scene.monitor] as const,
  ];
  while (!scene.isOver) {
    await Promise.all(
      asked.map(async ([name, url]) => {
        const { status } = await ask(url, { from: "127.0.0.1" });
        if (status !== 200) scene.complain(`${name} did not answer during the attack: ${status}`);
      }),
    );
    await Promise.race([sleep(probeMs), scene.over]);
  }
}

/** Waits until the programs hold no more than before, within bounds. Resolves with the last sample. */
async function awaitRest(
  target: Target,
  course: Omit<Course, "heldAfter">,
  options: { readonly bufferedBefore: number; readonly complaints: Set<string>; readonly circumstances: Circumstances },
): Promise<Sample> {
  const { bufferedBefore, complaints, circumstances } = options;
  for (let left = tries; ; left -= 1) {
    const heldAfter = await takeSample(target.system);
    const { buffered } = await readStats(target.port);
    const most = bufferedBefore + bounds.bufferedBytes;
    // The latencies and problems do not change any more.
    const { after } = course;
    const calm = { ...after, stretch: { ...after.stretch, problems: [] }, figures: { ...after.figures, problems: [] } };
    const { heldBefore } = course;
    const rest = judge({ before: calm, during: calm, after: calm, heldBefore, heldAfter }, circumstances);
    if (buffered <= most && rest.length === 0) return heldAfter;
    if (left === 1) {
      if (buffered > most) complaints.add(`after: the gateway buffers ${buffered} bytes, before ${bufferedBefore}`);
      return heldAfter;
    }
    await sleep(againMs);
  }
}

async function bound(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the attack did not end")), ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
