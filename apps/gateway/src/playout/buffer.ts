import type {
  DropReason,
  OutAudio,
  OutControlFrame,
  OutTextFrame,
  Outbound,
  ReplyOutcome,
  TurnOutcome,
  TurnPlayed,
} from "@voxbus/protocol";
import { fixedLimits } from "../limits.ts";
import type { MemoryBudget } from "../memory-budget.ts";
import type { TurnState } from "./turn-state.ts";

/** A numbered frame of a reply: named (attempt, sentence, n) by tts. */
export type ReplyFrame = (OutAudio | OutTextFrame | OutControlFrame) & {
  readonly reply: string;
  readonly attempt: number;
  readonly sentence: number;
  readonly n: number;
};

/** Tells a numbered frame of a reply from every other frame for a device. */
export function isReplyFrame(out: Outbound): out is ReplyFrame {
  return out.reply !== undefined && out.attempt !== undefined && out.sentence !== undefined && out.n !== undefined;
}

/** The verdict on a frame: taken, or dropped for a reason. */
export type Accepted = "taken" | DropReason;

/**
 * Buffers one reply on its way to the device. It knows which frames were accepted, and holds those that are not sent yet.
 * It holds one attempt. A higher attempt takes over where a sentence begins to sound. If the engine makes the same frames
 * again, it takes over at the very next frame. So nothing is said twice.
 */
export class PlayoutBuffer {
  readonly id: string;
  /** The seq that caused it; undefined for an announcement. */
  readonly origin: number | undefined;
  /** Its place in the order of causes: the origin, or the announcement's rank (seq + ½). */
  readonly rank: number;
  /** True for words about a turn that waits or was shed. They are no turn of their own: no fence, no report. */
  readonly isNotice: boolean;
  readonly since: number;
  state: TurnState = "queued";
  /** Time of the last accepted frame, ms. */
  fedAt: number;
  /** Time of the last sign that somebody works on it, ms. */
  aliveAt = -Infinity;
  /** The gateway asked for the frames after the last accepted one, at this time. */
  askedAt: number | undefined;
  /** The last (sentence, n) that was written to the socket. */
  played: [number, number] | undefined;
  /** The last sentence whose sound was written to the socket. */
  heard: number | undefined;
  /** Every frame was accepted. */
  complete = false;
  /** Why a complete reply is no answer. */
  outcome: ReplyOutcome | undefined;
  /** The synthesizer that spoke last, as far as it is known. */
  engine: string | undefined;
  dropped = 0;
  late = 0;
  #attempt = 0;
  #sentence = -1;
  #n = -1;
  #sentenceEnded = true;
  /** True if sound of its last sentence was accepted. */
  #sounds = false;
  #queue: ReplyFrame[] = [];
  #head = 0;
  #bufferedMs = 0;
  readonly #memory: MemoryBudget;

  constructor(
    {
      id,
      origin,
      rank,
      isNotice = false,
    }: {
      readonly id: string;
      readonly origin: number | undefined;
      readonly rank: number;
      readonly isNotice?: boolean;
    },
    now: number,
    memory: MemoryBudget,
  ) {
    this.#memory = memory;
    this.id = id;
    this.origin = origin;
    this.rank = rank;
    this.isNotice = isNotice;
    this.since = now;
    this.fedAt = now;
  }

  /** Gives the name of the last accepted frame, or undefined before the first. */
  get accepted(): { attempt: number; sentence: number; n: number } | undefined {
    return this.#n < 0 ? undefined : { attempt: this.#attempt, sentence: this.#sentence, n: this.#n };
  }

  /** Takes a frame if it is the next one, or gives the reason to drop it. `now` in ms. */
  accept(frame: ReplyFrame, now: number): Accepted {
    const verdict = this.#judge(frame);
    if (verdict !== "taken") {
      // Every attempt ends the reply at the same place. Its end counts even if the frame that carries it is a duplicate.
      if (
        verdict === "duplicate" &&
        frame.end === "reply" &&
        frame.attempt > this.#attempt &&
        frame.sentence === this.#sentence
      ) {
        this.complete = true;
        this.outcome = frame.outcome;
      } else if (verdict !== "duplicate") this.dropped += 1;
      return verdict;
    }
    this.#attempt = frame.attempt;
    this.#sounds = frame.kind === "audio" || (this.#sounds && frame.sentence === this.#sentence);
    this.#sentence = frame.sentence;
    this.#n = frame.n;
    this.#sentenceEnded = frame.end !== undefined;
    this.complete = frame.end === "reply";
    this.outcome = frame.outcome;
    this.engine = frame.engine ?? this.engine;
    this.fedAt = now;
    this.askedAt = undefined;
    this.#queue.push(frame);
    if (frame.kind === "audio") this.#bufferedMs += frame.duration;
    return "taken";
  }

  #judge(frame: ReplyFrame): Accepted {
    if (this.complete) return "duplicate";
    if (frame.attempt < this.#attempt) return "stale-attempt";
    const next = this.#sentenceEnded
      ? frame.sentence === this.#sentence + 1 && frame.n === 0
      : frame.sentence === this.#sentence && frame.n === this.#n + 1;
    if (frame.attempt === this.#attempt || this.#n < 0) {
      if (next) return this.#room(frame);
      const behind = frame.sentence < this.#sentence || (frame.sentence === this.#sentence && frame.n <= this.#n);
      return behind ? "duplicate" : "out-of-order";
    }
    if (frame.sentence === this.#sentence + 1 && frame.n === 0) return this.#room(frame);
    if (next && (frame.repeatable || !this.#sounds)) return this.#room(frame);
    return frame.sentence <= this.#sentence ? "duplicate" : "out-of-order";
  }

  #room(frame: ReplyFrame): Accepted {
    if (frame.kind !== "audio") return "taken";
    return this.#bufferedMs + frame.duration > fixedLimits.replyMs || !this.#memory.take(frame.body.byteLength)
      ? "reply-full"
      : "taken";
  }

  /** Fills the reply with ready-made sound: Opus packets of 60 ms. */
  fill(packets: readonly Uint8Array[]): void {
    const name = { v: 1 as const, reply: this.id, attempt: 1, sentence: 0 };
    packets.forEach((body, n) => this.accept({ ...name, n, kind: "audio", duration: 60, body }, this.fedAt));
    this.complete = true;
  }

  /** Reports how the reply ended. `fenced` frames came too late; `firstAudio` in ms. */
  report(outcome: TurnOutcome, fenced: number, firstAudio: number | undefined): TurnPlayed {
    const { id: reply, origin, played, heard, engine, dropped, late } = this;
    const complete = outcome === "played";
    const reason = complete ? this.outcome : outcome;
    const unsent = this.#queue.length - this.#head;
    return {
      reply,
      ...(origin === undefined ? {} : { origin }),
      ...(played ? { played } : {}),
      ...(heard === undefined ? {} : { sentence: heard }),
      complete,
      ...(reason === undefined ? {} : { reason }),
      fenced: fenced + (complete ? 0 : unsent),
      dropped,
      late,
      ...(engine === undefined ? {} : { engine }),
      ...(firstAudio === undefined ? {} : { firstAudio: Math.round(firstAudio) }),
    };
  }

  /** Gives the next frame to send, or undefined. */
  peek(): ReplyFrame | undefined {
    return this.#queue[this.#head];
  }

  /** Removes the frame that `peek` showed. */
  shift(): void {
    const frame = this.#queue[this.#head];
    if (!frame) return;
    this.#release(frame);
    this.#head += 1;
    if (this.#head > 64) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Releases the frames that were not sent: the reply is over. */
  discard(): void {
    for (const frame of this.#queue.slice(this.#head)) this.#release(frame);
    this.#queue = [];
    this.#head = 0;
  }

  #release(frame: ReplyFrame): void {
    if (frame.kind !== "audio") return;
    this.#bufferedMs -= frame.duration;
    this.#memory.give(frame.body.byteLength);
  }
}
