import type { InControl, OutText, ServerMessage, TurnPlayed } from "@voxbus/protocol";
import { createMemoryBudget } from "../memory-budget.ts";
import { createCounters } from "../observe/counters.ts";
import type { ReplyFrame } from "./buffer.ts";
import type { Ticker } from "./clock.ts";
import { Playout } from "./playout.ts";

/** Something that the device was sent, or a mark of the test. */
export type Written = { readonly at: number } & (
  | { readonly text: OutText | ServerMessage }
  | { readonly audio: string }
  | { readonly mark: "abort" | "bargeIn"; readonly seq: number }
);

/** The longest pause of the play-out, ms. */
export const pauseMs = 8000;

/** The device of a stage, and the gateway's phrases. */
interface StageOptions {
  readonly sounds?: boolean;
  readonly startGapMs?: number;
  readonly deadlineMs?: number;
  readonly language?: string;
  /** Tells whether the device takes in sound. */
  readonly writable?: () => boolean;
}

/** Creates a play-out in virtual time. It records everything written to the device, and published on the bus. */
export function createStage(options: StageOptions = {}) {
  const { startGapMs = 20, deadlineMs = 15_000, language = "en", writable = () => true } = options;
  let now = 1000;
  let seq = 0;
  let queue: { readonly at: number; readonly ticker: Ticker }[] = [];
  const wire: Written[] = [];
  const published: InControl[] = [];
  const turns: TurnPlayed[] = [];
  const notices: string[] = [];
  const memory = createMemoryBudget(1_000_000);
  const { drops } = createCounters();
  const playout = new Playout({
    memory,
    drops,
    refuseFrame: (reason) => void (drops[reason] += 1),
    limits: { pauseMs },
    uplink: {
      get seq() {
        return seq;
      },
      send(frame) {
        if (frame.kind === "control") published.push(frame.body);
        return (seq += 1);
      },
    },
    clock: { now: () => now, wake: (ticker, at) => queue.push({ ticker, at }) },
    downlink: {
      writeText: (text) => wire.push({ at: now, text }),
      writeAudio: (packet) => wire.push({ at: now, audio: new TextDecoder().decode(packet) }),
      writable,
      close: () => undefined,
    },
    turns: { ended: (turn) => turns.push(turn), noticed: (kind) => notices.push(kind) },
    profile: () => ({ lead: 2, startGapMs, deadlineMs, dryMs: 5000, language }),
    phrase: (name) => (options.sounds ? [new TextEncoder().encode(`${name}:0:0`)] : undefined),
  });
  return {
    playout,
    memory,
    wire,
    published,
    turns,
    notices,
    /** The reasons of all drops. */
    drops: () => Object.entries(drops).flatMap(([reason, count]) => Array<string>(count).fill(reason)),
    now: () => now,
    seq: () => seq,
    /** A frame of the device was published. */
    inbound: () => (seq += 1),
    /** The user begins or ceases to speak. */
    userSpeaking: (on: boolean) => (on ? void playout.userSpeaks(seq) : playout.userCeased(seq)),
    pass(ms: number) {
      const until = now + ms;
      for (;;) {
        const next = queue.reduce((least, entry) => Math.min(least, entry.at), Infinity);
        if (next > until) break;
        now = Math.max(now, next);
        const due = queue.filter(({ at }) => at <= now);
        queue = queue.filter(({ at }) => at > now);
        for (const { ticker } of due) ticker.tick(now);
      }
      now = until;
    },
    /** The process stands still, and then does what was due meanwhile before anything else. */
    stall(ms: number) {
      now += ms;
      const due = queue.filter(({ at }) => at <= now);
      queue = queue.filter(({ at }) => at > now);
      for (const { ticker } of due) ticker.tick(now);
    },
    mark(mark: "abort" | "bargeIn", value: number) {
      wire.push({ at: now, mark, seq: value });
    },
    audio: () => wire.flatMap((item) => ("audio" in item ? [item.audio] : [])),
    states: () => wire.flatMap((item) => ("text" in item && item.text.type === "tts" ? [item.text.state] : [])),
  };
}

/** The name of a reply's frames. */
interface Line {
  readonly reply: string;
  readonly origin?: number;
  readonly attempt?: number;
  readonly repeatable?: boolean;
}

/** Makes the frames of a reply of `sentences` sentences, each with a subtitle and `frames` audio frames. */
export function replyFrames(
  { reply, origin, attempt = 1, repeatable = false }: Line,
  sentences: number,
  frames: number,
): ReplyFrame[] {
  const all: ReplyFrame[] = [];
  for (let sentence = 0; sentence < sentences; sentence += 1) {
    const name = { v: 1 as const, reply, attempt, sentence, repeatable, ...(origin === undefined ? {} : { origin }) };
    all.push({
      ...name,
      n: 0,
      kind: "text",
      body: { type: "tts", state: "sentence_start", text: `${reply} ${sentence}` },
    });
    for (let n = 1; n <= frames; n += 1) {
      const end = n < frames ? undefined : sentence === sentences - 1 ? ("reply" as const) : ("sentence" as const);
      const body = new TextEncoder().encode(`${reply}:${sentence}:${n}`);
      all.push({ ...name, n, kind: "audio", duration: 60, body, ...(end ? { end } : {}) });
    }
  }
  return all;
}
