import { setTimeout as sleep } from "node:timers/promises";
import { startChild } from "./child.ts";
import { describeTail, type Tail } from "./numbers.ts";
import { format, judge, percent, type Table } from "./section.ts";
import type { TalkResult, TalkRun, TimedTurn } from "./talk.ts";
import { turnKinds } from "./talker.ts";
import { openTalk, pauseMs, type TalkSetting } from "./talk-system.ts";
import { summarize } from "./turns.ts";

/** The kinds of badly behaved programs; `bad-subscriber.ts` says what each does. */
const faults = [
  "slow subscriber",
  "blocked event loop",
  "crash loop",
  "subscribed to everything",
  "never acknowledges",
  "never acknowledges, 100,000 at once",
  "10,000 pieces of garbage/s",
] as const;
type Fault = (typeof faults)[number];

/** The turns of talking devices, beside a bad program or without one, of all rounds together. */
export interface IsolationRow {
  /** Without it: the turns that have no bad program beside them. */
  readonly fault?: Fault;
  readonly turns: number;
  /** From the text, or from the transcript, to the first sound of the answer, ms. */
  readonly firstSound: Tail;
  /** The share of packets that came more than 65 ms after the one before. */
  readonly over65: number;
  readonly unanswered: number;
}

/** The rows of the part. `noise`: the turns without a bad program again, in as many groups as there are faults. */
export interface Isolation {
  readonly without: IsolationRow;
  readonly beside: readonly IsolationRow[];
  readonly noise: readonly IsolationRow[];
}

const restartMs = 1000;
/** The time in which a bad program starts and ends, ms. */
const startMs = 500;
/** The time for a bad program to start, and for turns beside it to end, ms; turns that begin in it count for neither side. */
const longestSettleMs = 2000;
/** The greatest ratio of a run beside a bad program to the one without it. */
const atMost = 1.1;

/** Lets devices talk while bad programs of each kind come and go, with a span without any before each. */
export async function measureIsolation(
  setting: TalkSetting & { readonly spanSeconds: number; readonly repeat: number },
): Promise<Isolation> {
  const { spanSeconds, repeat, devices, progress } = setting;
  const settleMs = Math.min(longestSettleMs, spanSeconds * 250);
  const talk = await openTalk(setting);
  try {
    const spanMs = spanSeconds * 1000;
    const plan = Array.from({ length: repeat }, () => faults).flat();
    const seconds = (plan.length * (2 * (spanMs + settleMs) + startMs)) / 1000;
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
    const pick = (side: "without" | "beside", fault?: Fault) => {
      const begins = spans.filter((span) => fault === undefined || span.fault === fault).map((span) => span[side]);
      return turns.filter(({ began }) => begins.some((from) => began >= from && began < from + spanMs));
    };
    return {
      without: describe(pick("without")),
      beside: faults.map((fault) => ({ fault, ...describe(pick("beside", fault)) })),
      noise: faults.map((fault) => describe(pick("without", fault))),
    };
  } finally {
    await talk.stop();
  }
}

function describe(turns: readonly TimedTurn[]): IsolationRow {
  // Who was told to wait does not wait in silence.
  const waits = turns.flatMap(({ told, firstSound, transcript = 0 }) =>
    told === undefined && firstSound !== undefined ? [firstSound - transcript] : [],
  );
  const { over65, ended } = summarize(turns);
  return { turns: turns.length, firstSound: describeTail(waits), over65, unanswered: turns.length - ended.answered };
}

/**
 * Starts a bad program, again and again if it ends. It yields the cores to all others: on a host of its own it would not have them,
 * and what it does through the bus is measured.
 */
function startBad(fault: Fault, url: string): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const live = async () => {
    while (!stopped.signal.aborted) {
      const child = await startChild("bad-subscriber", { args: [fault, url], isYielding: true }).catch(() => undefined);
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

/** Writes the table of the part. The ratios are to the turns without a bad program. */
export function tabulateIsolation({ without, beside, noise }: Isolation, devices: number): readonly Table[] {
  const p99 = ({ firstSound }: IsolationRow) => firstSound.p99 / without.firstSound.p99;
  const late = ({ over65 }: IsolationRow) => (over65 === without.over65 ? 1 : over65 / without.over65);
  const range = (read: (row: IsolationRow) => number) =>
    [Math.min, Math.max].map((pick) => format(pick(...noise.map(read)))).join(" to ");
  return [
    {
      title: `turns of ${devices} talking devices, beside a bad program and without one`,
      head: ["program", "turns", "text or transcript → first sound p50, ms", "p99", "ratio", "late > 65 ms", "ratio", "not answered"],
      rows: [without, ...beside].map((row) => [
        row.fault ?? "none",
        String(row.turns),
        format(row.firstSound.p50, 0),
        format(row.firstSound.p99, 0),
        format(p99(row)),
        percent(row.over65),
        format(late(row)),
        String(row.unanswered),
      ]),
      lines: [
        ...beside.flatMap((row) => [
          judge(`${row.fault}, first sound, p99, beside / without`, { value: p99(row) }, { atMost }),
          judge(`${row.fault}, late packets, beside / without`, { value: late(row) }, { atMost }),
        ]),
        `noise, ${noise.length} groups of as many turns without a bad program, against all of them: first sound p99 ${range(p99)}, late packets ${range(late)}`,
      ],
    },
  ];
} /* prettier-ignore */
