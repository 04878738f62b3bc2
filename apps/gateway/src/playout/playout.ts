import { fixedLimits } from "../limits.ts";
import { PlayoutBuffer, type ReplyFrame } from "./buffer.ts";
import type { Ticker } from "./clock.ts";
import { Fence } from "./fence.ts";
import { Intake } from "./intake.ts";
import { Interruption } from "./interruption.ts";
import { LiveFrames } from "./live-frames.ts";
import { Pacer, retryMs } from "./pacer.ts";
import { Patience } from "./patience.ts";
import type { PlayoutDeps } from "./playout-deps.ts";
import { ReplyQueue } from "./reply-queue.ts";
import { Speaking } from "./speaking.ts";
import { TurnReports } from "./turn-reports.ts";
import { consequences, isOutcome, nextTurnState, type Outcome, type TurnEvent } from "./turn-state.ts";
import type { AwaitedTurn, Turn } from "./turn.ts";
import { Watchdog, type Work } from "./watchdog.ts";

/** Plays the replies of one session, one at a time, as seq, origin and fence decide (docs/bus.md, causality). */
export class Playout implements Ticker {
  readonly reports: TurnReports;
  readonly live: LiveFrames;
  readonly intake: Intake;
  readonly queue = new ReplyQueue();
  readonly #deps: PlayoutDeps;
  readonly #fence: Fence;
  readonly #watchdog: Watchdog;
  readonly #pacer: Pacer;
  readonly #speaking: Speaking;
  readonly #interruption: Interruption;
  readonly #patience = new Patience();
  #current: PlayoutBuffer | undefined;
  /** The origin of the newest reply that has started. */
  #started = 0;
  #awaited: AwaitedTurn | undefined;
  #wakeAt = Infinity;

  constructor(deps: PlayoutDeps) {
    this.#deps = deps;
    this.#fence = new Fence(deps);
    this.live = new LiveFrames(deps, this.#fence);
    this.intake = new Intake(deps, this.#fence, this.queue);
    this.#watchdog = new Watchdog(deps.uplink, deps.profile);
    this.#pacer = new Pacer(deps.downlink, this.#watchdog, deps.profile);
    this.#speaking = new Speaking(deps, this.#pacer);
    this.#interruption = new Interruption(this.#pacer, deps.limits.pauseMs);
    this.reports = new TurnReports(deps, this.#fence, this.#pacer, this.queue);
  }

  /** The seq of the fence: nothing of a turn whose origin is at or below it reaches the device. */
  get fence(): number {
    return this.#fence.seq;
  }

  /** True from `tts` `start` to `tts` `stop`. */
  get speaking(): boolean {
    return this.#speaking.on;
  }

  /** True while the user speaks, something is being thought or said, or live audio goes on. */
  get busy(): boolean {
    const sounds = this.#speaking.on || this.#interruption.speaks || this.live.playing;
    return sounds || (this.#current ?? this.#awaited) !== undefined || this.queue.size > 0;
  }

  /** Typed text was published as `seq`. It cuts the reply that plays or waits for the device, and its turn begins. */
  typed(seq: number, text: string): void {
    this.#cut(0);
    this.#beginTurn(seq, text);
  }

  /** A transcript came. The device shows it, and begins to speak while the answer is thought. */
  transcript(origin: number, text: string): void {
    if (!this.#fence.admits(origin)) return;
    if (origin <= this.#started) return void (this.#deps.drops.superseded += 1);
    this.#beginTurn(origin, text);
  }

  /** Leaves a transcript, and all turns before it, without an answer. */
  refuse(origin: number): void {
    if (!this.#fence.admits(origin)) return;
    this.raiseFence(origin);
    this.#fence.publish();
  }

  #beginTurn(origin: number, text: string): void {
    this.#deps.downlink.writeText({ type: "stt", text });
    this.#await(origin, "awaited");
    if (this.#deps.downlink.writable()) this.#speaking.begin();
  }

  /** `listen` `stop` was published as `seq`: perhaps something was heard. */
  stopped(seq: number): void {
    if (!this.#awaited) this.#await(seq, "tentative");
  }

  /**
   * The device asks for silence: every turn so far ends, and the device gets `tts` `stop` in any case. `seq` is the
   * abort's own. While NATS is away, pass the newest seq, and call `raiseFence` later.
   */
  abort(seq: number): void {
    const spoke = this.#speaking.on;
    for (const reply of this.queue.filter(({ origin }) => origin === undefined)) this.#move(reply, "passed");
    this.#passTurns(seq);
    if (this.#current) this.#move(this.#current, "passed");
    if (!spoke) this.#deps.downlink.writeText({ type: "tts", state: "stop" });
    this.#next();
  }

  /** An abort that waited for NATS was published as `seq`. */
  raiseFence(seq: number): void {
    this.#passTurns(seq);
    this.#next();
  }

  /** asr understood words from `seq` on. They cut the reply that they interrupt; a turn that is being thought goes on. */
  bargeIn(seq: number): void {
    if (seq > this.#deps.uplink.seq) return this.#deps.refuseFrame("future-origin", { field: "body.seq" });
    if (this.#interruption.cuts) this.#cut(seq);
    this.#next();
  }

  /** The user, or a noise, begins to sound in the frame `seq`. Returns true if the reply that plays pauses. */
  userSpeaks(seq: number): boolean {
    const now = this.#deps.clock.now();
    return seq <= this.#deps.uplink.seq && this.#interruption.begin(seq, this.#current ?? this.queue.findAnswer(), now);
  }

  /** The user ceased to speak at `seq`. `origin` is a final transcript that will be answered though no `stt` was sent. */
  userCeased(seq: number, origin?: number): void {
    const now = this.#deps.clock.now();
    this.#interruption.end(seq, now);
    if (origin === undefined) {
      if (this.#awaited) this.#move(this.#awaited, "unheard");
    } else if (this.#fence.admits(origin)) this.#await(origin, "awaited");
    this.tick(now);
  }

  /** Somebody works on a turn or an announcement. `waits`: it waits for its place in a queue, and will be late. */
  working(work: Work, waits = false): void {
    if (work.origin !== undefined && work.origin > this.#deps.uplink.seq)
      return this.#deps.refuseFrame("future-origin");
    const now = this.#deps.clock.now();
    this.#watchdog.sign(work, [this.#awaited, this.#current, ...this.queue.all()], now);
    if (work.origin === undefined || !this.#patience.sign(work.origin, waits, this.#awaited, now)) return;
    // Speech that is still being recognized is no turn yet: perhaps it has no words.
    if (this.#awaited?.state === "awaited") this.tick(now);
    else if (!this.#current && work.origin > Math.max(this.#fence.seq, this.#started)) {
      this.#patience.told(work.origin);
      this.reports.show("wait");
    }
  }

  /** No program will answer a turn, because there is too much to do. The answer of a turn that sounds already goes on. */
  shed(origin: number): void {
    if (!this.#fence.admits(origin)) return;
    for (const turn of [...this.queue.all(), this.#awaited]) if (turn?.origin === origin) this.#move(turn, "refused");
    this.#next();
  }

  /** Takes a numbered frame of a reply. */
  frame(frame: ReplyFrame): void {
    const now = this.#deps.clock.now();
    const current = this.#current?.id === frame.reply ? this.#current : this.queue.find(frame.reply);
    const reply = current ?? this.intake.queue(frame, this.#started, now);
    if (!reply) return;
    const verdict = reply.accept(frame, now);
    if (verdict === "stale-attempt") this.#deps.refuseFrame(verdict);
    else if (verdict !== "taken") this.#deps.drops[verdict] += 1;
    if (verdict === "out-of-order" || verdict === "reply-full") this.#watchdog.requestResend(reply, now);
    if (reply === this.#current) this.tick(now);
    else this.#next();
  }

  /** Sends the frames that are due and checks the deadlines. Called by the clock; harmless at any time. `now` in ms. */
  tick(now: number): void {
    if (now >= this.#wakeAt) this.#wakeAt = Infinity;
    if (this.#current) return this.#play(this.#current, now);
    const awaited = this.queue.unanswered(this.#awaited);
    if (awaited && now >= this.#watchdog.deadline(awaited, now)) this.#move(awaited, "late");
    this.#next();
  }

  /** Reports every reply as closed: the session has ended. */
  close(): void {
    this.#speaking.close();
    this.#awaited = undefined;
    for (const reply of [this.#current, ...this.queue.all()]) if (reply) this.#move(reply, "ended");
  }

  #await(origin: number, state: "tentative" | "awaited"): void {
    if (this.#awaited) this.#move(this.#awaited, "overtaken");
    const now = this.#deps.clock.now();
    this.#awaited = { origin, aliveAt: now, state, startedAt: now, noticeAt: Infinity, waits: false };
    if (state === "awaited") this.#patience.begin(this.#awaited, this.#current?.isNotice === true, now);
    this.#pacer.beginTurn(now);
    this.#wakeUp(Math.min(this.#awaited.noticeAt, this.#watchdog.deadline(this.#awaited, now)));
  }

  #wakeUp(at: number): void {
    if (at >= this.#wakeAt) return;
    this.#wakeAt = at;
    this.#deps.clock.wake(this, at);
  }

  /** Starts the next reply that may play, if none plays. */
  #next(): void {
    if (this.#current) return;
    const now = this.#deps.clock.now();
    const reply = this.queue.takeFirst((one) => this.#mayStart(one, now));
    const awaited = this.queue.unanswered(this.#awaited);
    if (!reply) return awaited && this.#wait(awaited, now);
    this.#current = reply;
    this.#move(reply, "started");
    this.#pacer.beginReply();
    if (reply.origin !== undefined) {
      this.#started = reply.rank;
      if (this.#awaited && this.#awaited.origin <= reply.origin) this.#move(this.#awaited, "overtaken");
    } else if (!reply.isNotice) this.#pacer.beginTurn(now);
    this.#speaking.begin();
    this.#play(reply, now);
  }

  /** Waits for the answer of a turn. The device is told once if that takes long, and stays in its state. */
  #wait(turn: AwaitedTurn, now: number): void {
    const noticeAt = this.#interruption.speaks ? Infinity : this.#patience.due(turn, now);
    if (now < noticeAt) return this.#wakeUp(Math.min(noticeAt, this.#watchdog.deadline(turn, now)));
    this.#patience.told(turn.origin);
    this.reports.say("wait", turn);
    this.#next();
  }

  /** A reply waits until the device takes in sound; an announcement also for the user and an awaited turn, but not forever. */
  #mayStart({ origin, since }: PlayoutBuffer, now: number): boolean {
    const isReached = this.#speaking.on || this.#deps.downlink.writable();
    const until = isReached ? since + fixedLimits.announcementWaitMs : now + retryMs;
    const mayNow = origin !== undefined || (!this.#interruption.speaks && !this.#awaited) || now >= until;
    if (!isReached || !mayNow) this.#wakeUp(until);
    return isReached && mayNow;
  }

  #play(reply: PlayoutBuffer, now: number): void {
    const next = this.#pacer.play(reply, now);
    if (typeof next === "number") return this.#wakeUp(next);
    this.#move(reply, next);
    this.#next();
  }

  /** Ends the reply that plays or is next, and every turn up to `from`. A later turn and a queued announcement go on. */
  #cut(from: number): void {
    const reply = this.#current ?? this.queue.findAnswer();
    if (!reply) return;
    if (reply.isNotice) return this.#move(reply, "passed");
    this.#passTurns(Math.max(from, reply.origin ?? 0));
    this.#fence.publish(reply.origin === undefined ? reply.id : undefined);
    if (this.#current === reply) this.#move(reply, "passed");
  }

  /** Raises the fence and ends the turns that it passes. */
  #passTurns(seq: number): void {
    this.#fence.raise(seq);
    const fence = this.#fence.seq;
    const turns = [...this.queue.all(), this.queue.unanswered(this.#awaited), this.#current];
    for (const turn of turns) if (turn?.origin !== undefined && turn.origin <= fence) this.#move(turn, "passed");
    if (this.#awaited && this.#awaited.origin <= fence) this.#move(this.#awaited, "overtaken");
    if (!this.#current && !this.#awaited) this.#speaking.hush();
  }

  /** Moves a turn to its next state. An outcome takes the turn out of play-out. */
  #move(turn: Turn, event: TurnEvent): void {
    const next = nextTurnState(turn.state, event);
    if (next === turn.state) return;
    turn.state = next;
    if (isOutcome(next)) this.#settle(turn, next);
  }

  /** Applies the consequences of an outcome. */
  #settle(turn: Turn, outcome: Outcome): void {
    const { fences, silences, reported, says } = consequences[outcome];
    const isNotice = turn instanceof PlayoutBuffer && turn.isNotice;
    const answerFollows = this.#awaited?.state === "awaited" || this.queue.findAnswer() !== undefined;
    const wasPlaying = turn === this.#current;
    if (wasPlaying) this.#current = undefined;
    else if (turn === this.#awaited) this.#awaited = undefined;
    else this.queue.remove(turn);
    if (silences && wasPlaying && !(isNotice && answerFollows)) this.#speaking.hush();
    if (fences && turn.origin !== undefined) {
      this.#fence.raise(turn.origin);
      this.#fence.publish();
    }
    if (turn instanceof PlayoutBuffer) this.intake.end(turn.id);
    if (isNotice) turn.discard();
    else if (reported) this.reports.report(turn, outcome);
    if (says === undefined) return;
    if (this.#awaited && this.#awaited.origin <= this.#fence.seq) this.#move(this.#awaited, "overtaken");
    if (!this.reports.say(says, turn) && !this.#current) this.#speaking.hush();
  }
}
