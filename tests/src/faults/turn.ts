import type { Exchange } from "./ear.ts";
import { judgeExchange, type References, type Verdict } from "./judge.ts";
import type { Question } from "./questions.ts";

/** How a turn ended: as judged, cut by the device itself, or with its connection. */
export type TurnOutcome = Verdict["outcome"] | "aborted" | "cut" | "unheard";

/** One exchange as a device lived it; times in ms of `performance.now()`. */
export interface TurnRecord {
  readonly device: string;
  readonly question: string;
  readonly spoken: boolean;
  readonly beganAt: number;
  /** When the last of the speech, or the text, was sent. */
  inputEndedAt?: number;
  endedAt?: number;
  outcome?: TurnOutcome;
  doubled: number;
  detail: string;
  /** When sound came. */
  readonly soundAt: number[];
}

/** A turn that goes on. */
export interface OpenTurn {
  readonly record: TurnRecord;
  readonly over: boolean;
  /** Resolves when it ended in any way. */
  readonly ended: Promise<void>;
  endInput(): void;
  /** Something came that belongs to it: the patience begins anew. */
  sign(): void;
  sound(): void;
  /** `tts/stop` came. */
  stopped(exchange: Exchange): void;
  /** The device wants silence now. */
  abort(): void;
  /** The connection is gone, or nobody shall wait any longer. */
  end(outcome: TurnOutcome, detail: string): void;
}

/** How long nothing may come once the input has ended: beyond every deadline of a gateway (docs/bus.md), ms. */
export const patienceMs = 45_000;
/** An input that ended so shortly before its connection was lost may not have arrived, ms. */
const onItsWayMs = 300;

/** Begins a turn now. */
export function openTurn(device: string, question: Question, references: References): OpenTurn {
  const record: TurnRecord = {
    device,
    question: question.text,
    spoken: question.packets !== undefined,
    beganAt: performance.now(),
    doubled: 0,
    detail: "",
    soundAt: [],
  };
  let resolve: () => void;
  const ended = new Promise<void>((settle) => (resolve = settle));
  let aborted = false;
  const end = (outcome: TurnOutcome, detail: string) => {
    if (record.outcome !== undefined) return;
    clearTimeout(timer);
    record.outcome = outcome;
    record.detail = detail;
    record.endedAt = performance.now();
    resolve();
  };
  const timer = setTimeout(() => end("lost", `"${question.text}": nothing more came`), patienceMs);
  return {
    record,
    ended,
    get over() {
      return record.outcome !== undefined;
    },
    endInput() {
      record.inputEndedAt ??= performance.now();
      timer.refresh();
    },
    sign: () => void (record.outcome === undefined && timer.refresh()),
    sound() {
      record.soundAt.push(performance.now());
      if (record.outcome === undefined) timer.refresh();
    },
    stopped(exchange) {
      if (aborted) return end("aborted", `"${question.text}" was cut`);
      const { outcome, doubled, detail } = judgeExchange(question.text, exchange, references);
      record.doubled += doubled;
      end(outcome, detail);
    },
    abort: () => void (aborted = true),
    end(outcome, detail) {
      // Who was still speaking was not heard: asks again, as people do.
      const heard = record.inputEndedAt !== undefined && performance.now() - record.inputEndedAt > onItsWayMs;
      end(outcome === "cut" && !heard ? "unheard" : outcome, detail);
    },
  };
}

/**
 * How long the device was without sound while it waited for some, ms: the longest wait for sound after `since`, once its
 * own input had ended. Undefined when it had nothing to wait for.
 */
export function measureWait(record: TurnRecord, since: number): number | undefined {
  const { inputEndedAt, soundAt, endedAt = performance.now() } = record;
  if (inputEndedAt === undefined || endedAt < since) return undefined;
  const from = Math.max(since, inputEndedAt);
  const after = soundAt.filter((at) => at > from);
  const before = soundAt.filter((at) => at <= from).at(-1);
  // What was said to its end before the fault came waits for nothing.
  if (after.length === 0) return before === undefined ? endedAt - from : 0;
  return Math.max(...after.map((at, i) => at - (after[i - 1] ?? from)));
}
