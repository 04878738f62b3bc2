import type { Exchange } from "./ear.ts";
import { judgeExchange, type References, type Verdict } from "./judge.ts";
import type { Question } from "./questions.ts";

/** The outcome of a turn: as judged, aborted by the device, or cut with its connection. */
export type TurnOutcome = Verdict["outcome"] | "aborted" | "cut" | "unheard";

/** A turn from the view of a device; times in ms of `performance.now()`. */
export interface TurnRecord {
  readonly device: string;
  readonly question: string;
  readonly spoken: boolean;
  readonly beganAt: number;
  /** When the end of the speech, or the text, was sent. */
  inputEndedAt?: number;
  endedAt?: number;
  outcome?: TurnOutcome;
  doubled: number;
  detail: string;
  /** The times of all packets. */
  readonly soundAt: number[];
}

/** A running turn. */
export interface OpenTurn {
  readonly record: TurnRecord;
  readonly over: boolean;
  /** Resolves at the end, with any outcome. */
  readonly ended: Promise<void>;
  endInput(): void;
  /** Restarts the timeout: a message of the turn came. */
  sign(): void;
  sound(): void;
  /** Judges the exchange: `tts/stop` came. */
  stopped(exchange: Exchange): void;
  /** Notes that the device aborts. */
  abort(): void;
  /** Ends the turn without a `tts/stop`. */
  end(outcome: TurnOutcome, detail: string): void;
}

/** The longest wait for a message after the end of the input, ms: longer than every deadline of a gateway (docs/bus.md). */
export const timeoutMs = 45_000;
/** The time in which an input may still be on its way when the connection breaks, ms. */
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
  const timer = setTimeout(() => end("lost", `"${question.text}": no more messages came`), timeoutMs);
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
      // An input that had not arrived is asked again, as people do.
      const heard = record.inputEndedAt !== undefined && performance.now() - record.inputEndedAt > onItsWayMs;
      end(outcome === "cut" && !heard ? "unheard" : outcome, detail);
    },
  };
}

/**
 * Measures the longest wait for sound after `since` and after the end of the input, ms. Returns undefined if the device had
 * nothing to wait for.
 */
export function measureWait(record: TurnRecord, since: number): number | undefined {
  const { inputEndedAt, soundAt, endedAt = performance.now() } = record;
  if (inputEndedAt === undefined || endedAt < since) return undefined;
  const from = Math.max(since, inputEndedAt);
  const after = soundAt.filter((at) => at > from);
  const before = soundAt.filter((at) => at <= from).at(-1);
  // An answer that ended before the fault waits for nothing.
  if (after.length === 0) return before === undefined ? endedAt - from : 0;
  return Math.max(...after.map((at, i) => at - (after[i - 1] ?? from)));
}
