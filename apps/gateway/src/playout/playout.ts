import type { DropReason } from "@voxbus/protocol";
import { fixedLimits } from "../limits.ts";
import { createAnnouncements, type Announcements } from "./announcements.ts";
import { PlayoutBuffer, type ReplyFrame } from "./buffer.ts";
import type { Ticker } from "./clock.ts";
import { Fence } from "./fence.ts";
import { Interruption } from "./interruption.ts";
import { LiveFrames } from "./live-frames.ts";
import { Pacer } from "./pacer.ts";
import type { PlayoutDeps } from "./playout-deps.ts";
import { ReplyQueue } from "./reply-queue.ts";
import { TurnReports } from "./turn-reports.ts";
import { consequences, isOutcome, nextTurnState, type Outcome, type TurnEvent } from "./turn-state.ts";
import type { AwaitedTurn, Turn } from "./turn.ts";
import { Watchdog, type Work } from "./watchdog.ts";

/**
 * Plays the replies of one session, one at a time. Seq, origin and fence decide which reply plays, and which frames reach
 * the device (docs/bus.md, causality).
 */
export class Playout implements Ticker {
  readonly reports: TurnReports;
  readonly live: LiveFrames;
  readonly #deps: PlayoutDeps;
  readonly #fence: Fence;
  readonly #watchdog: Watchdog;
  readonly #pacer: Pacer;
  readonly #interruption: Interruption;
  readonly #queue = new ReplyQueue();
  #current: PlayoutBuffer | undefined;
  /** The origin of the newest reply that has started. */
  #started = 0;
  #announcements: Announcements | undefined;
  #awaited: AwaitedTurn | undefined;
  #speaking = false;
  #wakeAt = Infinity;

  constructor(deps: PlayoutDeps) {
    this.#deps = deps;
    this.#fence = new Fence(deps.uplink, deps.drops);
    this.live = new LiveFrames(deps, this.#fence);
    this.#watchdog = new Watchdog(deps.uplink, deps.profile);
    this.#pacer = new Pacer(deps.downlink, this.#watchdog, deps.profile);
    this.#interruption = new Interruption(this.#pacer, deps.limits.pauseMs);
    this.reports = new TurnReports(deps, this.#fence, this.#pacer);
  }

  /** The seq of the fence: nothing of a turn whose origin is at or below it reaches the device. */
  get fence(): number {
    return this.#fence.seq;
  }

  /** True from `tts` `start` to `tts` `stop`. */
  get speaking(): boolean {
    return this.#speaking;
  }

  /** True while the user speaks, something is being thought or said, or live audio goes on. */
  get busy(): boolean {
    const sounds = this.#speaking || this.#interruption.speaks || this.live.playing;
    return sounds || (this.#current ?? this.#awaited) !== undefined || this.#queue.size > 0;
  }

  /** Typed text was published as `seq`. It cuts the reply that plays, and its turn begins. */
  typed(seq: number, text: string): void {
    if (this.#current) this.#cut(this.#current, 0);
    this.#beginTurn(seq, text);
  }

  /** A transcript came. The device shows it, and begins to speak while the answer is thought. */
  transcript(origin: number, text: string): void {
    if (!this.#fence.admits(origin)) return;
    if (origin <= this.#started) return this.#drop("superseded");
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
    this.#startSpeaking();
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
    const spoke = this.#speaking;
    for (const reply of this.#queue.filter(({ origin }) => origin === undefined)) this.#move(reply, "passed");
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
    if (seq > this.#deps.uplink.seq) return this.#drop("future-origin");
    if (this.#current && this.#interruption.cuts) this.#cut(this.#current, seq);
    this.#next();
  }

  /** The user, or a noise, begins to sound in the frame `seq`. Returns true if the reply that plays pauses. */
  userSpeaks(seq: number): boolean {
    return seq <= this.#deps.uplink.seq && this.#interruption.begin(seq, this.#current, this.#deps.clock.now());
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

  /** Somebody works on a turn or an announcement. */
  working(work: Work): void {
    if (work.origin !== undefined && work.origin > this.#deps.uplink.seq) return this.#drop("future-origin");
    this.#watchdog.sign(work, [this.#awaited, this.#current, ...this.#queue.all()], this.#deps.clock.now());
  }

  /** Takes a numbered frame of a reply. */
  frame(frame: ReplyFrame): void {
    const now = this.#deps.clock.now();
    const current = this.#current?.id === frame.reply ? this.#current : this.#queue.find(frame.reply);
    const reply = current ?? this.#enqueue(frame, now);
    if (!reply) return;
    const verdict = reply.accept(frame, now);
    if (verdict !== "taken") this.#drop(verdict);
    if (verdict === "out-of-order" || verdict === "reply-full") this.#watchdog.requestResend(reply, now);
    if (reply === this.#current) this.tick(now);
    else this.#next();
  }

  /** Queues the reply of its first frame, by rank. Returns undefined if the reply may not play. */
  #enqueue({ reply: id, origin }: ReplyFrame, now: number): PlayoutBuffer | undefined {
    if (origin !== undefined && !this.#fence.admits(origin)) return undefined;
    if (origin !== undefined && origin <= this.#started) return this.#drop("superseded");
    const rank = origin ?? (this.#announcements ??= createAnnouncements()).rank(id, this.#deps.uplink.seq);
    if (rank === undefined) return this.#fence.drop();
    if (this.#queue.full) return this.#drop("reply-full");
    const reply = new PlayoutBuffer({ id, origin, rank }, now, this.#deps.memory);
    this.#queue.add(reply);
    return reply;
  }

  /** Sends the frames that are due and checks the deadlines. Called by the clock; harmless at any time. `now` in ms. */
  tick(now: number): void {
    if (now >= this.#wakeAt) this.#wakeAt = Infinity;
    if (this.#current) return this.#play(this.#current, now);
    if (this.#awaited && now >= this.#watchdog.deadline(this.#awaited, now)) this.#move(this.#awaited, "late");
    this.#next();
  }

  /** Ends what the device says, if it speaks. */
  #hush(): void {
    if (!this.#speaking) return;
    this.#speaking = false;
    this.#deps.downlink.writeText({ type: "tts", state: "stop" });
  }

  /** Reports every reply as closed: the session has ended. */
  close(): void {
    this.#speaking = false;
    this.#awaited = undefined;
    if (this.#current) this.#move(this.#current, "ended");
    for (const reply of this.#queue.all()) this.#move(reply, "ended");
  }

  #drop(reason: DropReason): undefined {
    this.#deps.drops[reason] += 1;
  }

  #await(origin: number, state: "tentative" | "awaited"): void {
    if (this.#awaited) this.#move(this.#awaited, "overtaken");
    const now = this.#deps.clock.now();
    this.#awaited = { origin, aliveAt: now, state };
    this.#pacer.beginTurn(now);
    this.#wakeUp(this.#watchdog.deadline(this.#awaited, now));
  }

  #wakeUp(at: number): void {
    if (at >= this.#wakeAt) return;
    this.#wakeAt = at;
    this.#deps.clock.wake(this, at);
  }

  #startSpeaking(): void {
    if (this.#speaking) return;
    this.#deps.downlink.writeText({ type: "tts", state: "start" });
    this.#speaking = true;
    this.#pacer.beginSpeaking(this.#deps.clock.now());
  }

  /** Starts the next reply that may play, if none plays. */
  #next(): void {
    if (this.#current) return;
    const now = this.#deps.clock.now();
    const reply = this.#queue.takeFirst((one) => one.origin !== undefined || this.#mayAnnounce(one, now));
    if (!reply) {
      if (this.#awaited) this.#wakeUp(this.#watchdog.deadline(this.#awaited, now));
      return;
    }
    this.#current = reply;
    this.#move(reply, "started");
    this.#pacer.beginReply();
    if (reply.origin !== undefined) {
      this.#started = reply.rank;
      if (this.#awaited && this.#awaited.origin <= reply.origin) this.#move(this.#awaited, "overtaken");
    } else this.#pacer.beginTurn(now);
    this.#startSpeaking();
    this.#play(reply, now);
  }

  /** An announcement waits for the user and for a turn that is awaited, but not forever. */
  #mayAnnounce({ since }: PlayoutBuffer, now: number): boolean {
    const until = since + fixedLimits.announcementWaitMs;
    if ((!this.#interruption.speaks && !this.#awaited) || now >= until) return true;
    this.#wakeUp(until);
    return false;
  }

  #play(reply: PlayoutBuffer, now: number): void {
    const next = this.#pacer.play(reply, now);
    if (typeof next === "number") return this.#wakeUp(next);
    this.#move(reply, next);
    this.#next();
  }

  /** Ends the reply that plays, and every turn up to `from`. A later turn and a queued announcement go on. */
  #cut(reply: PlayoutBuffer, from: number): void {
    this.#passTurns(Math.max(from, reply.origin ?? 0));
    this.#fence.publish(reply.origin === undefined ? reply.id : undefined);
    if (this.#current === reply) this.#move(reply, "passed");
  }

  /** Raises the fence and ends the turns that it passes. */
  #passTurns(seq: number): void {
    this.#fence.raise(seq);
    const fence = this.#fence.seq;
    for (const reply of this.#queue.filter(({ origin = Infinity }) => origin <= fence)) this.#move(reply, "passed");
    if (this.#awaited && this.#awaited.origin <= fence) this.#move(this.#awaited, "passed");
    const current = this.#current;
    if (current?.origin !== undefined && current.origin <= fence) this.#move(current, "passed");
    else if (!current && !this.#awaited) this.#hush();
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
    const { fences, silences, reported, apologizes } = consequences[outcome];
    const wasPlaying = turn === this.#current;
    if (wasPlaying) this.#current = undefined;
    else if (turn === this.#awaited) this.#awaited = undefined;
    else this.#queue.remove(turn);
    if (silences && wasPlaying) this.#hush();
    if (fences && turn.origin !== undefined) {
      this.#fence.raise(turn.origin);
      this.#fence.publish();
    }
    if (turn instanceof PlayoutBuffer) this.#announcements?.end(turn.id);
    if (reported) this.reports.report(turn, outcome);
    if (apologizes) this.#apologize(turn);
  }

  #apologize(turn: Turn): void {
    if (this.#awaited && this.#awaited.origin <= this.#fence.seq) this.#move(this.#awaited, "overtaken");
    const apology = this.reports.apologize(turn, this.#deps.uplink.seq);
    if (apology) this.#queue.addFirst(apology);
    else this.#hush();
  }
}
