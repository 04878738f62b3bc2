import type { DropReason, OutAudio, OutControlFrame, OutTextFrame, TurnPlayed } from "@voxbus/protocol";
import type { Held } from "../limits.ts";

/** A numbered frame of a reply: named (attempt, sentence, n) by tts. */
export type ReplyFrame = (OutAudio | OutTextFrame | OutControlFrame) & {
  readonly reply: string;
  readonly attempt: number;
  readonly sentence: number;
  readonly n: number;
};

/** The most of one reply that is held, in ms of audio (docs/bus.md, play-out). */
export const maxHeldMs = 60_000;

/** What `accept` made of a frame: taken, or dropped for a reason. */
export type Accepted = "taken" | DropReason;

/**
 * One reply on its way to the device: which of its frames were accepted, and those that are not sent yet. It holds one
 * attempt; a higher one takes over at a sentence of which nothing was accepted, or at the very next frame where the
 * engine makes the same frames again. So nothing is said twice.
 */
export class Reply {
  readonly id: string;
  /** The seq that caused it; undefined for an announcement. */
  readonly origin: number | undefined;
  /** Its place in the order of causes: the origin, or the announcement's stamp (seq + ½). */
  readonly rank: number;
  readonly since: number;
  /** Time of the last accepted frame, ms. */
  fedAt: number;
  /** The gateway asked for the frames after the last accepted one, at this time. */
  askedAt: number | undefined;
  /** The last (sentence, n) that was written to the socket. */
  played: [number, number] | undefined;
  /** Every frame was accepted. */
  complete = false;
  dropped = 0;
  late = 0;
  #attempt = 0;
  #sentence = -1;
  #n = -1;
  #sentenceEnded = true;
  #queue: ReplyFrame[] = [];
  #head = 0;
  #heldMs = 0;
  readonly #held: Held;

  constructor(id: string, origin: number | undefined, rank: number, now: number, held: Held) {
    this.#held = held;
    this.id = id;
    this.origin = origin;
    this.rank = rank;
    this.since = now;
    this.fedAt = now;
  }

  /** The name of the last accepted frame, or undefined before the first. */
  get accepted(): { attempt: number; sentence: number; n: number } | undefined {
    return this.#n < 0 ? undefined : { attempt: this.#attempt, sentence: this.#sentence, n: this.#n };
  }

  /** Frames that are held and not sent. */
  get held(): number {
    return this.#queue.length - this.#head;
  }

  /** Takes a frame if it is the next one, or says why not. `now` in ms. */
  accept(frame: ReplyFrame, now: number): Accepted {
    const verdict = this.#judge(frame);
    if (verdict !== "taken") {
      // The end of a reply is the same in every attempt, even where the frame that carries it is not wanted.
      if (
        verdict === "duplicate" &&
        frame.end === "reply" &&
        frame.attempt > this.#attempt &&
        frame.sentence === this.#sentence
      ) {
        this.complete = true;
      } else if (verdict !== "duplicate") this.dropped += 1;
      return verdict;
    }
    this.#attempt = frame.attempt;
    this.#sentence = frame.sentence;
    this.#n = frame.n;
    this.#sentenceEnded = frame.end !== undefined;
    this.complete = frame.end === "reply";
    this.fedAt = now;
    this.askedAt = undefined;
    this.#queue.push(frame);
    if (frame.kind === "audio") this.#heldMs += frame.duration;
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
    if (next && frame.repeatable) return this.#room(frame);
    return frame.sentence <= this.#sentence ? "duplicate" : "out-of-order";
  }

  #room(frame: ReplyFrame): Accepted {
    if (frame.kind !== "audio") return "taken";
    return this.#heldMs + frame.duration > maxHeldMs || !this.#held.take(frame.body.byteLength)
      ? "reply-full"
      : "taken";
  }

  /** Fills the reply with ready-made sound, Opus packets of 60 ms, and nothing else. */
  fill(packets: readonly Uint8Array[]): void {
    const name = { v: 1 as const, reply: this.id, attempt: 1, sentence: 0 };
    packets.forEach((body, n) => this.accept({ ...name, n, kind: "audio", duration: 60, body }, this.fedAt));
    this.complete = true;
  }

  /** How it ended: without a `reason` it was played whole. `fenced` frames came too late; `firstAudio` in ms. */
  report(reason: string | undefined, fenced: number, firstAudio: number | undefined): TurnPlayed {
    const { id: reply, origin, played, dropped, late } = this;
    return {
      reply,
      ...(origin === undefined ? {} : { origin }),
      ...(played ? { played } : {}),
      complete: reason === undefined,
      ...(reason === undefined ? {} : { reason }),
      fenced: fenced + (reason === undefined ? 0 : this.held),
      dropped,
      late,
      ...(firstAudio === undefined ? {} : { firstAudio: Math.round(firstAudio) }),
    };
  }

  /** The next frame to send, or undefined. */
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

  /** Gives back what is held; the reply is over. */
  discard(): void {
    for (const frame of this.#queue.slice(this.#head)) this.#release(frame);
    this.#queue = [];
    this.#head = 0;
  }

  #release(frame: ReplyFrame): void {
    if (frame.kind !== "audio") return;
    this.#heldMs -= frame.duration;
    this.#held.give(frame.body.byteLength);
  }
}
