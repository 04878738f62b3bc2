import { setTimeout as sleep } from "node:timers/promises";
import { startChild } from "./child.ts";
import { takeMedian } from "./numbers.ts";
import { format, judge, percent, ratio, type Table } from "./section.ts";
import type { TalkResult, TalkRun, TimedTurn } from "./talk.ts";
import { turnKinds } from "./talker.ts";
import { openTalk, pauseMs, type TalkSetting } from "./talk-system.ts";
import { summarize, type TurnRow } from "./turns.ts";

/** The kinds of badly behaved programs; `bad-subscriber.ts` says what each does. */
const faults = [
  "slow subscriber",
  "blocked event loop",
  "crash loop",
  "subscribed to everything",
  "never acknowledges",
  "10,000 pieces of garbage/s",
] as const;
type Fault = (typeof faults)[number];

/** The turns of talking devices beside a bad program, and in the time without it just before, once for each round. */
export interface IsolationRow {
  readonly fault: Fault;
  readonly rounds: readonly { readonly without: Lateness; readonly beside: Lateness }[];
}

type Lateness = Pick<TurnRow, "turns" | "text" | "beyond" | "over65" | "ended">;

const restartMs = 1000;
/** The time for a bad program to start, and for turns beside it to end, ms; turns that begin in it count for neither side. */
const longestSettleMs = 2000;
/** The greatest ratio of a run beside a bad program to the one without it. */
const atMost = 1.1;

/** Lets devices talk while bad programs of each kind come and go, so that every span has its baseline just before it. */
export async function measureIsolation(
  setting: TalkSetting & { readonly spanSeconds: number; readonly repeat: number },
): Promise<readonly IsolationRow[]> {
  const { spanSeconds, repeat, devices, progress } = setting;
  const settleMs = Math.min(longestSettleMs, spanSeconds * 250);
  const talk = await openTalk(setting);
  try {
    const spanMs = spanSeconds * 1000;
    const plan = Array.from({ length: repeat }, () => faults).flat();
    const seconds = (plan.length * 2 * (spanMs + settleMs)) / 1000;
    const run: TalkRun = { devices, seconds, kinds: turnKinds, spreadMs: settleMs, pauseMs };
    const began = performance.now();
    const running = talk.ask<TalkResult>("run", run);
    running.catch(() => undefined);
    const spans: { readonly fault: Fault; readonly without: number; readonly beside: number }[] = [];
    for (const fault of plan) {
      progress(`isolation, ${fault}`);
      await sleep(settleMs);
      const without = performance.now() - began;
      await sleep(spanMs);
      const bad = startBad(fault, talk.natsUrl);
      await sleep(settleMs);
      const beside = performance.now() - began;
      await sleep(spanMs);
      await bad.stop();
      spans.push({ fault, without, beside });
    }
    const { turns } = await running;
    const within = (from: number) =>
      summarize(turns.filter((turn: TimedTurn) => turn.began >= from && turn.began < from + spanMs));
    return faults.map((fault) => ({
      fault,
      rounds: spans
        .filter((span) => span.fault === fault)
        .map(({ without, beside }) => ({ without: within(without), beside: within(beside) })),
    }));
  } finally {
    await talk.stop();
  }
}

/** Starts a bad program, again and again if it ends. */
function startBad(fault: Fault, url: string): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const live = async () => {
    while (!stopped.signal.aborted) {
      const child = await startChild("bad-subscriber", { args: [fault, url] }).catch(() => undefined);
      const pause = child === undefined ? restartMs : undefined;
      const isOver = await waitForStop(stopped.signal, pause);
      if (isOver) await child?.stop();
    }
  };
  const living = live();
  return {
    async stop() {
      stopped.abort();
      await living;
    },
  };
}

/** Waits for the end of a signal, at most `ms`. Returns true if it came. */
async function waitForStop(signal: AbortSignal, ms: number | undefined): Promise<boolean> {
  await sleep(ms ?? 2 ** 31 - 1, undefined, { signal }).catch(() => undefined);
  return signal.aborted;
}

/** Writes the table of the part. Each figure is the median of its rounds. */
export function tabulateIsolation(rows: readonly IsolationRow[]): readonly Table[] {
  const pick = ({ rounds }: IsolationRow, side: "without" | "beside", read: (from: Lateness) => number) =>
    takeMedian(rounds.map((round) => read(round[side])));
  const text = ({ text }: Lateness) => text.p99;
  const beyond = ({ beyond }: Lateness) => beyond.p99;
  const over65 = (from: Lateness) => from.over65;
  const times = (row: IsolationRow, read: (from: Lateness) => number) =>
    takeMedian(row.rounds.map(({ without, beside }) => read(beside) / read(without)));
  const unanswered = ({ turns, ended }: Lateness) => turns - ended.answered;
  return [
    {
      title: "turns beside a bad program and without it, medians of the rounds and of their ratios",
      head: [
        "program", "turns", "text → first sound p99, ms", "without", "ratio", "transcript → first sound p99, ms", "without", "ratio",
        "late > 65 ms", "without", "not answered",
      ],
      rows: rows.map((row) => [
        row.fault,
        String(row.rounds.reduce((sum, { beside }) => sum + beside.turns, 0)),
        ...[text, beyond].flatMap((read) => {
          const [beside, without] = [pick(row, "beside", read), pick(row, "without", read)];
          return [format(beside, 0), format(without, 0), ratio(times(row, read), 1)];
        }),
        percent(pick(row, "beside", over65)),
        percent(pick(row, "without", over65)),
        String(row.rounds.reduce((sum, { beside }) => sum + unanswered(beside), 0)),
      ]),
      lines: rows.flatMap((row) => [
        judge(`${row.fault}, text → first sound, p99, beside / without`, { value: times(row, text) }, { atMost }),
        judge(`${row.fault}, transcript → first sound, p99, beside / without`, { value: times(row, beyond) }, { atMost }),
      ]),
    },
  ];
} /* prettier-ignore */
