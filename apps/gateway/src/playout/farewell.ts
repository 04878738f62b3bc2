import { BusAwayError, type Bus } from "@voxbus/bus";
import { channels, fillText, type Profile } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { fixedLimits } from "../limits.ts";
import type { Uplink } from "../uplink/uplink.ts";
import type { Clock, Failing } from "./clock.ts";
import type { Downlink } from "./downlink.ts";
import type { Playout } from "./playout.ts";

/** Dependencies of a farewell. */
export interface FarewellDeps {
  readonly bus: Bus;
  readonly log: Log;
  readonly clock: Pick<Clock, "now">;
  readonly playout: Playout;
  readonly downlink: Downlink;
  readonly uplink: Pick<Uplink, "seq">;
  readonly profile: () => Profile;
  /** Fails after an error. */
  readonly session: Failing;
}

/**
 * Begins a conversation with the profile's greeting. Ends it when neither side has spoken for the profile's `silenceMs`: the
 * profile's farewell is spoken, and then the conversation ends, and with it a WebSocket.
 */
export class Farewell {
  /** True from a listen's start to its stop, or to an abort. */
  listening = false;
  readonly #deps: FarewellDeps;
  readonly #device: string;
  readonly #session: string;
  /** Time of the user's last sign, ms. */
  #userAt: number;
  /** The farewell that tts was asked for. */
  #farewell: string | undefined;
  /** True once a greeting was due, or comes too late. There is one in a conversation. */
  #greeted = false;
  /** The greeting that may still wait to play. */
  #greeting: string | undefined;

  constructor(deps: FarewellDeps, device: string, session: string) {
    this.#deps = deps;
    this.#device = device;
    this.#session = session;
    this.#userAt = deps.clock.now();
  }

  /** The user spoke, or began to listen. */
  userActed(): void {
    this.#userAt = this.#deps.clock.now();
  }

  /** A conversation begins: tts is asked for the greeting, if the profile has one. */
  greet(): void {
    if (this.#greeted) return;
    this.#greeted = true;
    const { log, profile, uplink } = this.#deps;
    const { greeting = "" } = profile();
    if (greeting === "") return;
    const session = this.#session;
    // A session over MQTT may have many conversations.
    const reply = `greeting-${session}-${uplink.seq}`;
    this.#greeting = reply;
    // A conversation does without its greeting.
    this.#say(reply, greeting).catch((err: unknown) => {
      log.warn({ err, device: this.#device, session }, "greeting failed");
    });
  }

  /** The user has said or typed something: a greeting that waits, or is not due yet, comes too late. */
  userAsked(): void {
    this.#greeted = true;
    this.#withdraw(this.#greeting);
    this.#greeting = undefined;
  }

  /** The conversation is over: a greeting or a farewell that has not begun to sound is not said any more. */
  end(): void {
    if (this.#farewell !== undefined) this.#deps.playout.reports.closeAfter(undefined);
    this.#withdraw(this.#greeting);
    this.#withdraw(this.#farewell);
  }

  /** Checks the silence; called now and then. */
  check(): void {
    const { clock, playout, downlink, profile } = this.#deps;
    const silent = clock.now() - Math.max(this.#userAt, playout.reports.endedAt);
    if (this.#farewell !== undefined) {
      if (silent > fixedLimits.farewellMs) downlink.close("done");
      return;
    }
    const { silenceMs } = profile();
    if (this.listening && !playout.busy && silenceMs > 0 && silent >= silenceMs) this.#ask();
  }

  /** Asks tts for the farewell. */
  #ask(): void {
    const { log, playout, downlink, uplink, profile, session: owner } = this.#deps;
    const session = this.#session;
    const reply = `farewell-${session}-${uplink.seq}`;
    this.#farewell = reply;
    this.userActed();
    playout.reports.closeAfter(reply);
    this.#say(reply, profile().farewell).catch((err: unknown) => {
      if (!(err instanceof BusAwayError)) return owner.fail(err);
      log.warn({ err, device: this.#device, session }, "farewell failed, closing");
      downlink.close("done");
    });
  }

  #withdraw(reply: string | undefined): void {
    if (reply === undefined) return;
    const { intake, reports } = this.#deps.playout;
    const waiting = intake.withdraw(reply);
    if (waiting) reports.report(waiting, "fenced");
  }

  /** Asks tts for an announcement in the words of the profile. */
  async #say(reply: string, words: string): Promise<void> {
    const { bus } = this.#deps;
    const profile = this.#deps.profile();
    const { language } = profile;
    const text = fillText(words, profile, bus.now());
    const say = { session: this.#session, reply, attempt: 1, sentence: 0, text, language, last: true };
    await bus.store(channels.sayOpen(this.#device), say, { id: reply });
  }
}
