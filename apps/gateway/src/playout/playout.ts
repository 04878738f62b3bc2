import type { OutAudio, OutTextFrame } from "@voxbus/protocol";
import { createStamps, type Stamps } from "./announcements.ts";
import type { Ticker } from "./clock.ts";
import { Reply, type ReplyFrame } from "./buffer.ts";
import type { SpeechEffects, SpeechSettings } from "./playout-effects.ts";

/** Gap between `tts/start` and the first sound, ms: a device drops audio until it speaks (docs/protocol.md, turns). */
export const startGapMs = 100;
/** Time after the last sound before `tts/stop`, ms: older firmware cuts what is still queued. */
export const stopMarginMs = 180;
/** How long an announcement waits for the user and for a turn that is being thought, ms. */
export const announcementWaitMs = 30_000;
/** A reply that has not grown for so long in its middle is asked for again, and so often, ms. */
export const askAfterMs = 1000;
/** A deadline that is seen so late was missed by this process, not by others, ms. */
const stallMs = 1000;
const maxWaiting = 8;

/** A turn of which nothing was said yet. `tentative`: perhaps nothing was heard at all (`listen/stop`). */
interface Awaited {
  readonly origin: number;
  readonly since: number;
  readonly tentative: boolean;
}

/**
 * The causality clock of one session (docs/bus.md): decides with seq, origin and fence which frames of which reply
 * reach the device, one reply at a time, paced on an absolute clock. Pure but for its effects.
 */
export class Speech implements Ticker {
  readonly #effects: SpeechEffects;
  readonly #settings: () => SpeechSettings;
  #fence = 0;
  #startedRank = 0;
  #current: Reply | undefined;
  #waiting: Reply[] = [];
  #stamps: Stamps | undefined;
  #awaited: Awaited | undefined;
  #hearing = false;
  #speakingSince: number | undefined;
  #playEnd = 0;
  #wakeAt = Infinity;
  /** When the frame that was looked at last is due. */
  #dueAt = 0;
  #fenced = 0;
  #turnStarted = 0;
  #firstAudio: number | undefined;

  constructor(effects: SpeechEffects, settings: () => SpeechSettings) {
    this.#effects = effects;
    this.#settings = settings;
  }

  /** The fence: nothing of a turn whose origin is at or below it reaches the device. */
  get fence(): number {
    return this.#fence;
  }

  /** True while `tts/start` stands without `tts/stop`. */
  get speaking(): boolean {
    return this.#speakingSince !== undefined;
  }

  /** True while the user speaks, or something is being thought or said. */
  get busy(): boolean {
    return (
      this.speaking ||
      this.#hearing ||
      this.#current !== undefined ||
      this.#awaited !== undefined ||
      this.#waiting.length > 0
    );
  }

  /** Typed text was published as `seq`: it fences what runs, and its turn begins. */
  typed(seq: number, text: string): void {
    if (this.#current) this.#cut(this.#current, 0);
    this.#beginTurn(seq, text);
  }

  /** An `stt` of asr: shown, and the device begins to speak while the answer is thought. */
  stt(
    frame: OutTextFrame & { readonly origin: number; readonly body: { readonly type: "stt"; readonly text: string } },
  ): void {
    if (!this.#admitted(frame.origin)) return;
    if (frame.origin <= this.#startedRank) return this.#effects.drop("superseded");
    this.#beginTurn(frame.origin, frame.body.text);
  }

  #beginTurn(origin: number, text: string): void {
    this.#effects.writeText({ type: "stt", text });
    this.#await(origin, false);
    this.#ensureSpeaking();
  }

  /** `listen/stop` was published as `seq`: perhaps something was heard. */
  stopped(seq: number): void {
    if (!this.#awaited) this.#await(seq, true);
  }

  /**
   * The user wants silence: all that was caused so far is dead, and the device gets `tts/stop` in any case. `seq` is the
   * abort's own; while NATS is away and it has none, the newest one, and `fenceAt` follows.
   */
  aborted(seq: number): void {
    const spoke = this.speaking;
    for (const reply of this.#waiting.filter(({ origin }) => origin === undefined)) this.#drop(reply);
    this.#raise(seq);
    if (this.#current) this.#kill(this.#current);
    if (!spoke) this.#effects.writeText({ type: "tts", state: "stop" });
    this.#next();
  }

  /** An abort that waited for NATS was published as `seq`. */
  fenceAt(seq: number): void {
    this.#raise(seq);
    this.#next();
  }

  /** asr found new speech from `seq` on: what sounds is cut; what is still being thought is left alone. */
  bargeIn(seq: number): void {
    if (seq > this.#effects.seq()) return this.#effects.drop("future-origin");
    if (!this.#current) return;
    this.#cut(this.#current, seq);
    this.#next();
  }

  /** The user speaks, or no longer. `origin` is a final that will be answered though no `stt` was sent. */
  hearing(on: boolean, origin?: number): void {
    this.#hearing = on;
    if (on) return;
    if (origin !== undefined) {
      if (this.#admitted(origin)) this.#await(origin, false);
    } else if (this.#awaited?.tentative) this.#awaited = undefined;
    this.#next();
  }

  /** A frame that belongs to no numbered reply: live audio, a face, a subtitle. */
  live(frame: OutAudio | OutTextFrame): void {
    if (frame.origin !== undefined && !this.#admitted(frame.origin)) return;
    if (frame.kind === "text") return this.#effects.writeText(frame.body);
    if (this.#effects.writable()) this.#effects.writeAudio(frame.body);
    else this.#effects.drop("slow");
  }

  /** A numbered frame of a reply. */
  frame(frame: ReplyFrame): void {
    const now = this.#effects.now();
    let reply = this.#current?.id === frame.reply ? this.#current : this.#waiting.find(({ id }) => id === frame.reply);
    if (!reply) {
      if (frame.origin !== undefined && !this.#admitted(frame.origin)) return;
      if (frame.origin !== undefined && frame.origin <= this.#startedRank) return this.#effects.drop("superseded");
      const rank = frame.origin ?? (this.#stamps ??= createStamps()).rank(frame.reply, this.#effects.seq());
      if (rank === undefined) return this.#fencedFrame();
      if (this.#waiting.length >= maxWaiting) return this.#effects.drop("reply-full");
      reply = new Reply(frame.reply, frame.origin, rank, now, this.#effects.held);
      this.#insert(reply);
    }
    const verdict = reply.accept(frame, now);
    if (verdict !== "taken") this.#effects.drop(verdict);
    if (verdict === "out-of-order" || verdict === "reply-full") this.#ask(reply, now);
    if (reply === this.#current) this.tick(now);
    else this.#next();
  }

  /** Sends what is due and looks at the deadlines; called by the clock, harmless at any time. `now` in ms. */
  tick(now: number): void {
    if (now >= this.#wakeAt) this.#wakeAt = Infinity;
    const reply = this.#current;
    if (reply) this.#play(reply, now);
    else if (this.#awaited) this.#checkDeadline(this.#awaited, now);
    if (!this.#current && this.#waiting.length > 0) this.#next();
  }

  /** The session ends: whatever was running is reported as cut by `reason`. */
  close(reason: string): void {
    const running = this.#current ? [this.#current, ...this.#waiting] : this.#waiting;
    this.#current = undefined;
    this.#waiting = [];
    this.#awaited = undefined;
    for (const reply of running) this.#report(reply, reason);
  }

  /** Ends what sounds at once, audibly: for a stop of the process that cannot wait. */
  hush(): void {
    if (this.speaking) this.#stopSpeaking();
  }

  #admitted(origin: number): boolean {
    if (origin > this.#effects.seq()) {
      this.#effects.drop("future-origin");
      return false;
    }
    if (origin <= this.#fence) {
      this.#fencedFrame();
      return false;
    }
    return true;
  }

  #fencedFrame(): void {
    this.#fenced += 1;
    this.#effects.drop("fenced");
  }

  #insert(reply: Reply): void {
    const at = this.#waiting.findIndex(({ rank }) => rank > reply.rank);
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, reply);
  }

  #await(origin: number, tentative: boolean): void {
    const since = this.#effects.now();
    this.#awaited = { origin, since, tentative };
    this.#turnStarted = since;
    this.#firstAudio = undefined;
    this.#wakeUp(since + this.#settings().deadlineMs);
  }

  #wakeUp(at: number): void {
    if (at >= this.#wakeAt) return;
    this.#wakeAt = at;
    this.#effects.wake(this, at);
  }

  #ensureSpeaking(): void {
    if (this.speaking) return;
    this.#effects.writeText({ type: "tts", state: "start" });
    this.#speakingSince = this.#effects.now();
  }

  #stopSpeaking(): void {
    this.#effects.writeText({ type: "tts", state: "stop" });
    this.#speakingSince = undefined;
  }

  /** Starts the next reply that may sound, if none does. */
  #next(): void {
    if (this.#current) return;
    const now = this.#effects.now();
    const mayAnnounce = (reply: Reply) => {
      const until = reply.since + announcementWaitMs;
      if ((!this.#hearing && !this.#awaited) || now >= until) return true;
      this.#wakeUp(until);
      return false;
    };
    const at = this.#waiting.findIndex((reply) => reply.origin !== undefined || mayAnnounce(reply));
    const [reply] = at < 0 ? [] : this.#waiting.splice(at, 1);
    if (!reply) {
      if (this.#awaited) this.#wakeUp(this.#awaited.since + this.#settings().deadlineMs);
      return;
    }
    this.#current = reply;
    this.#playEnd = 0;
    if (reply.origin !== undefined) {
      this.#startedRank = reply.rank;
      if (this.#awaited && this.#awaited.origin <= reply.origin) this.#awaited = undefined;
    } else {
      this.#turnStarted = now;
      this.#firstAudio = undefined;
    }
    this.#ensureSpeaking();
    this.#play(reply, now);
  }

  #play(reply: Reply, now: number): void {
    const { lead } = this.#settings();
    for (let frame = reply.peek(); frame; frame = reply.peek()) {
      if (frame.kind === "audio") {
        const due = Math.max((this.#speakingSince ?? 0) + startGapMs, this.#playEnd - lead * frame.duration);
        if (now < due) {
          this.#dueAt = due;
          return this.#wakeUp(due);
        }
        if (!this.#effects.writable()) return this.#wakeUp(now + frame.duration);
        // An underrun starts the clock anew; catching up in a burst would overrun small devices.
        if (this.#playEnd > 0 && this.#playEnd < now) reply.late += 1;
        this.#playEnd = Math.max(this.#playEnd, now) + frame.duration;
        this.#firstAudio ??= now - this.#turnStarted;
        // A frame that came after it was due is not late by our doing.
        this.#effects.writeAudio(frame.body, this.#dueAt === due ? now - due : 0);
      } else if (frame.kind === "text") this.#effects.writeText(frame.body);
      reply.played = [frame.sentence, frame.n];
      reply.shift();
    }
    if (reply.complete) {
      const done = this.#playEnd > 0 ? this.#playEnd + stopMarginMs : now;
      return now >= done ? this.#finish(reply) : this.#wakeUp(done);
    }
    this.#checkDry(reply, now);
  }

  #checkDry(reply: Reply, now: number): void {
    const { dryMs } = this.#settings();
    let dryAt = Math.max(reply.fedAt, this.#playEnd) + dryMs;
    if (now >= dryAt + stallMs) {
      // This process stood still: what came meanwhile is read next.
      dryAt = now + stallMs;
      reply.fedAt = dryAt - dryMs;
    }
    if (now >= dryAt) return this.#giveUp(reply.origin, reply, "dry");
    // Again and again: while NATS is away, or before tts is back, nobody hears it.
    if (now >= (reply.askedAt ?? reply.fedAt) + askAfterMs) this.#ask(reply, now);
    this.#wakeUp(Math.min((reply.askedAt ?? reply.fedAt) + askAfterMs, dryAt));
  }

  #ask(reply: Reply, now: number): void {
    if (reply.askedAt !== undefined && now - reply.askedAt < askAfterMs) return;
    reply.askedAt = now;
    const after = reply.accepted;
    this.#effects.publish({
      type: "resend",
      reply: reply.id,
      ...(reply.origin === undefined ? {} : { origin: reply.origin }),
      ...(after ? { after } : {}),
    });
  }

  #checkDeadline(awaited: Awaited, now: number): void {
    const at = awaited.since + this.#settings().deadlineMs;
    if (now < at) return this.#wakeUp(at);
    this.#giveUp(awaited.origin, undefined, "deadline");
  }

  /** A turn came to nothing: its origin is fenced and the device hears so. */
  #giveUp(origin: number | undefined, reply: Reply | undefined, reason: string): void {
    this.#end(reply);
    if (origin !== undefined) {
      this.#fence = Math.max(this.#fence, origin);
      this.#publishFence();
    }
    if (this.#awaited && this.#awaited.origin <= this.#fence) this.#awaited = undefined;
    if (reply) this.#report(reply, reason);
    else if (origin !== undefined) this.#failed(origin, reason);
    const packets = this.#effects.apology();
    if (!packets) {
      this.#effects.writeText({
        type: "alert",
        status: "Sorry",
        message: "Something went wrong. Please try again.",
        emotion: "sad",
      });
      if (this.speaking) this.#stopSpeaking();
      return this.#next();
    }
    const id = `apology-${origin ?? reply?.id}`;
    const since = this.#effects.now() - announcementWaitMs;
    const apology = new Reply(id, undefined, this.#effects.seq() + 0.5, since, this.#effects.held);
    apology.fill(packets);
    this.#waiting.unshift(apology);
    this.#next();
  }

  /** A reply was played to its end. */
  #finish(reply: Reply): void {
    this.#end(reply);
    this.#stopSpeaking();
    if (reply.origin !== undefined) {
      this.#fence = Math.max(this.#fence, reply.origin);
      this.#publishFence();
    }
    this.#report(reply, undefined);
    this.#next();
  }

  /** Kills what sounds, and all turns up to `from`; a turn caused later, and an announcement that waits, are not touched. */
  #cut(reply: Reply, from: number): void {
    this.#raise(Math.max(from, reply.origin ?? 0));
    this.#publishFence(reply.origin === undefined ? reply.id : undefined);
    if (this.#current === reply) this.#kill(reply);
  }

  #publishFence(reply?: string): void {
    this.#effects.publish({ type: "fence", fence: this.#fence, ...(reply === undefined ? {} : { reply }) });
  }

  /** Raises the fence and kills the turns that it passes. */
  #raise(fence: number): void {
    this.#fence = Math.max(this.#fence, fence);
    for (const reply of this.#waiting.filter(({ origin = Infinity }) => origin <= this.#fence)) this.#drop(reply);
    const awaited = this.#awaited;
    if (awaited && awaited.origin <= this.#fence) {
      this.#awaited = undefined;
      if (!awaited.tentative) this.#failed(awaited.origin, "fenced");
    }
    if ((this.#current?.origin ?? Infinity) <= this.#fence) this.#kill(this.#current as Reply);
    else if (!this.#current && !this.#awaited && this.speaking) this.#stopSpeaking();
  }

  /** Removes a reply that waits. */
  #drop(reply: Reply): void {
    this.#waiting = this.#waiting.filter((other) => other !== reply);
    this.#end(reply);
    this.#report(reply, "fenced");
  }

  #kill(reply: Reply): void {
    this.#end(reply);
    if (this.speaking) this.#stopSpeaking();
    this.#report(reply, "fenced");
  }

  /** Forgets a reply; an announcement's id stays dead. */
  #end(reply: Reply | undefined): void {
    if (!reply) return;
    if (this.#current === reply) this.#current = undefined;
    this.#stamps?.end(reply.id);
  }

  #failed(origin: number, reason: string): void {
    this.#effects.turnEnded({ origin, complete: false, reason, fenced: 0, dropped: 0, late: 0 });
  }

  #report(reply: Reply, reason: string | undefined): void {
    this.#effects.turnEnded(reply.report(reason, this.#fenced, this.#firstAudio));
    this.#fenced = 0;
    reply.discard();
  }
}
