import type { Spread } from "../bench/numbers.ts";
import type { BystanderReport } from "../fuzz/bystander.ts";
import type { Stretch } from "../fuzz/watch.ts";
import type { Sample } from "../soak/sample.ts";
import { findLeaks } from "../soak/verdict.ts";

/** The bystanders' experience in one phase; times in ms. */
export interface Figures {
  /** From a ping to its pong. */
  readonly pings: Spread;
  /** From a typed text to the first sound of the answer. */
  readonly sounds: Spread;
  /** Between two packets of an answer. */
  readonly gaps: Spread;
  /** How late timers in the bystanders' own thread were, the 99th percentile: the noise of this machine. */
  readonly lag: number;
  readonly problems: readonly string[];
}

/** One phase of an attack: the bystanders, and the programs. */
export interface Phase {
  readonly figures: Figures;
  readonly stretch: Stretch;
}

/** An attack from before to after. */
export interface Course {
  readonly before: Phase;
  readonly during: Phase;
  readonly after: Phase;
  /** The memory that the programs hold after a collection. */
  readonly heldBefore: Sample;
  readonly heldAfter: Sample;
}

/** The bounds of the verdict. */
export const bounds = {
  /** The bystanders' times may grow by this factor, or by the floor. */
  factor: 1.5,
  /** Times below which a difference is noise, ms, and how many of the machine's lags they may contain. */
  floors: {
    pings: { p50: 25, p99: 150, lags: 2 },
    sounds: { p50: 150, p99: 500, lags: 5 },
    gaps: { p50: 15, p99: 100, lags: 2 },
  },
  /** Resident memory of a program during an attack: this factor, or this many MB more. */
  peakMb: 128,
  /** JavaScript memory after a collection, after an attack: the factor, or this many MB more. */
  heldMb: 12,
  /** Timers and subscriptions of the bystanders' turns, which one sample may have and the other not. */
  busy: 24,
  /** Bytes that the gateway buffers after an attack, beyond those before. */
  bufferedBytes: 1_048_576,
} as const;

/** Describes the bystanders' experience in one phase. */
export function describeFigures(report: BystanderReport, describe: (times: readonly number[]) => Spread): Figures {
  const { pings, sounds, gaps, lags, problems } = report;
  return {
    pings: describe(pings),
    sounds: describe(sounds),
    gaps: describe(gaps),
    lag: describe(lags).p99 || 0,
    problems,
  };
}

/** The circumstances that change a verdict. */
export interface Circumstances {
  /** True if bystanders could not be served during the attack. */
  readonly isOutage?: boolean;
  /** True if the attack itself writes keys into the bucket `presence`. */
  readonly writesKeys?: boolean;
  /** The factor for the floors. */
  readonly noise?: number;
  /** Problems of programs that the attack is meant to cause. */
  readonly expected?: RegExp | undefined;
}

/** Lists everything that an attack did to others. */
export function judge(
  course: Course,
  { isOutage = false, writesKeys = false, noise = 1, expected }: Circumstances = {},
): readonly string[] {
  const { before, during, after, heldBefore, heldAfter } = course;
  const isUnexpected = (problem: string) => expected?.test(problem) !== true;
  return [
    ...(isOutage ? [] : judgePhase("during", before.figures, during.figures, noise)),
    ...(isOutage ? [] : during.stretch.problems.filter(isUnexpected)),
    ...judgePhase("after", before.figures, after.figures, noise),
    ...after.stretch.problems.filter(isUnexpected),
    ...judgePeaks(before.stretch, during.stretch),
    ...findLeaks({ before: heldBefore, after: heldAfter, growth: [], busy: bounds.busy }).filter(
      (leak) => !writesKeys || !leak.startsWith("presence:"),
    ),
    ...judgeHeld(heldBefore, heldAfter),
  ];
}

function judgePhase(name: string, before: Figures, now: Figures, noise: number): readonly string[] {
  const late = (["pings", "sounds", "gaps"] as const).flatMap((what) => {
    const { lags, ...floors } = bounds.floors[what];
    if (now[what].count === 0) return what === "gaps" ? [] : [`${name}: the bystanders had no ${what}`];
    const lag = lags * Math.max(0, now.lag - before.lag);
    return (["p50", "p99"] as const).flatMap((quantile) => {
      const [was, is] = [before[what][quantile], now[what][quantile]];
      const most = Math.max(was * bounds.factor, was + floors[quantile] * noise + lag);
      return is <= most ? [] : [`${name}: ${what} ${quantile} ${round(was)} → ${round(is)} ms (bound ${round(most)})`];
    });
  });
  return [...late, ...now.problems.map((problem) => `${name}: ${problem}`)];
}

function judgePeaks(before: Stretch, during: Stretch): readonly string[] {
  // nats-server keeps stored messages for hours.
  return during.vitals.flatMap(({ program, pid, peakRss }) => {
    const was = before.vitals.find((one) => one.pid === pid)?.rss;
    if (was === undefined || program === "nats-server") return [];
    const isFine = peakRss <= Math.max(was * bounds.factor, was + bounds.peakMb);
    return isFine ? [] : [`during: ${program} grew from ${was} to ${peakRss} MB`];
  });
}

function judgeHeld(before: Sample, after: Sample): readonly string[] {
  return [...after.processes].flatMap(([name, { held, pid }]) => {
    const was = before.processes.get(name);
    if (held === undefined || was?.held === undefined || was.pid !== pid) return [];
    const isFine = held <= Math.max(was.held * bounds.factor, was.held + bounds.heldMb);
    return isFine ? [] : [`after: ${name} holds ${held.toFixed(1)} MB, before ${was.held.toFixed(1)} MB`];
  });
}

const round = (ms: number) => Math.round(ms);
