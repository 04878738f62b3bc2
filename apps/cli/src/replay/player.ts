import { setTimeout as sleep } from "node:timers/promises";
import type { Inbound, ListenMode } from "@voxbus/protocol";
import type { Moment } from "../recording/moments.ts";
import type { DevicePlan, SessionPlan } from "./plan.ts";
import type { ReplayedDevice, ReplayedSession, Target } from "./target.ts";

/** Silence of 60 ms in Opus: three frames of 20 ms without sound. */
const silence = Uint8Array.of(0xfb, 3, 0xff, 0xfe, 0xff, 0xfe, 0xff, 0xfe);
const silenceMs = 60;

/** The options of a replay that each device follows. */
export interface Pace {
  /** Turns a time of the recording, in ms, into ms of `performance.now()`. */
  readonly due: (t: number) => number;
  /** How many times faster than the recording. */
  readonly speed: number;
  /** The longest wait for an answer that had come in the recording, in ms. */
  readonly patienceMs: number;
}

/** Counts of a replayed device. */
export interface Played {
  /** Frames sent, and those that had no session to go to. */
  sent: number;
  unsent: number;
  /** Answers that the recording has and that did not begin or end here in time. */
  overdue: number;
}

/**
 * Plays one recorded device into a target. Frames leave with the original distances. Where an answer began or ended in the recording,
 * the device waits until the same has happened here, and everything after it is late by as much: a slower system is not talked over.
 */
export class DevicePlayer {
  readonly played: Played = { sent: 0, unsent: 0, overdue: 0 };
  readonly #plan: DevicePlan;
  readonly #device: ReplayedDevice;
  readonly #target: Target;
  readonly #pace: Pace;
  readonly #signal: AbortSignal;
  #session: ReplayedSession | undefined;
  #sessionId = "";
  #seq = 0;
  /** By how much this device is behind the recording, ms. */
  #behind = 0;
  #mode: ListenMode | undefined;
  /** Replies that have begun and ended in the recording, as far as it was played. */
  #began = 0;
  #ended = 0;
  #reply: string | undefined;
  /** Replies that never came here. They are not waited for again. */
  #missed = { began: 0, ended: 0 };

  constructor(
    { plan, device, target, pace }: { plan: DevicePlan; device: ReplayedDevice; target: Target; pace: Pace },
    signal: AbortSignal,
  ) {
    this.#plan = plan;
    this.#device = device;
    this.#target = target;
    this.#pace = pace;
    this.#signal = signal;
  }

  /** Plays a moment when it is due. Throws CommandError if the target refuses the device, and the reason of the signal. */
  async play(moment: Moment): Promise<void> {
    if (moment.kind === "in") {
      const { frame } = moment;
      if (frame.session === this.#sessionId && frame.seq <= this.#seq) return; // published twice
      await this.#waitUntil(moment.t);
      await this.#send(frame, moment.t);
    } else if (moment.kind === "out" && moment.out.kind === "text") {
      const { body, reply, origin, n } = moment.out;
      if (n === undefined || body.type !== "tts" || body.state !== "sentence_start" || reply === this.#reply) return;
      if (origin === undefined) return; // an announcement, which does not come again
      this.#reply = reply;
      this.#began += 1;
      await this.#meet("began", this.#began, moment.t);
    } else if (moment.kind === "event" && moment.event.turn?.reply !== undefined) {
      const { reply, complete } = moment.event.turn;
      if (reply !== this.#reply) return;
      this.#ended += 1;
      if (complete) await this.#meet("ended", this.#ended, moment.t);
    }
  }

  /** Waits for answers that the recording has, then leaves. */
  async finish(to: number): Promise<void> {
    if (this.#session?.isOpen) await this.#meet("ended", this.#ended, to);
    await this.#session?.close();
  }

  async #send(frame: Inbound, t: number): Promise<void> {
    if (frame.session !== this.#sessionId) await this.#open(frame.session, t);
    this.#seq = frame.seq;
    if (frame.kind === "control") {
      const { body } = frame;
      if (body.type === "listen") this.#mode = body.mode;
      else if (body.type === "stop" || (body.type === "abort" && this.#mode === "manual")) this.#mode = undefined;
    }
    const session = this.#session;
    if (!session?.isOpen) return void (this.played.unsent += 1);
    await session.send(frame);
    this.played.sent += 1;
  }

  async #open(id: string, t: number): Promise<void> {
    await this.#session?.close();
    this.#sessionId = id;
    this.#seq = 0;
    this.#mode = undefined;
    this.#reply = undefined;
    const plan: SessionPlan = this.#plan.sessions.get(id) ?? {
      opened: undefined,
      openListen: undefined,
      usesMcp: false,
    };
    this.#session = await this.#target.open(this.#device, plan, this.#signal);
    this.#noteDelay(t);
    if (plan.openListen === undefined) return;
    this.#mode = plan.openListen;
    await this.#session.send({ kind: "control", body: { type: "listen", mode: plan.openListen, gateway: "replay" } });
  }

  async #waitUntil(t: number): Promise<void> {
    this.#signal.throwIfAborted();
    const ms = this.#pace.due(t) + this.#behind - performance.now();
    if (ms > 1) await sleep(ms, undefined, { signal: this.#signal });
  }

  /** Waits until as many answers have begun or ended here as in the recording, with the microphone as it is. */
  async #meet(what: "began" | "ended", count: number, t: number): Promise<void> {
    const { witness } = this.#device;
    await this.#waitUntil(t);
    const wanted = count - this.#missed[what];
    const stop = new AbortController();
    const listening = this.#keepListening(AbortSignal.any([this.#signal, stop.signal]));
    try {
      const isDone = () => witness[what] >= wanted && (what === "began" || !witness.speaking);
      const fits = () => isDone() || this.#session?.isOpen !== true;
      if (!(await witness.until(fits, this.#pace.patienceMs, this.#signal))) {
        this.played.overdue += 1;
        this.#missed[what] += Math.max(0, wanted - witness[what]);
      }
    } finally {
      stop.abort();
      await listening;
    }
    this.#noteDelay(t);
  }

  /** Lets everything after the recorded time `t` be as late as this moment is. */
  #noteDelay(t: number): void {
    this.#behind = Math.max(this.#behind, performance.now() - this.#pace.due(t));
  }

  /** Sends silence while the device waits, as the microphone of a device does that is not speaking. */
  async #keepListening(signal: AbortSignal): Promise<void> {
    const { witness } = this.#device;
    for (;;) {
      await sleep(silenceMs / this.#pace.speed, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      if (this.#mode !== undefined && (this.#mode === "realtime" || !witness.speaking) && this.#session?.isOpen)
        await this.#session.send({ kind: "audio", body: silence });
    }
  }
}
