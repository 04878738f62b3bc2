import { BusAwayError, type Bus } from "@voxbus/bus";
import { channels, type Profile } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { fixedLimits } from "../limits.ts";
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
  readonly profile: () => Profile;
  /** Fails after an error. */
  readonly session: Failing;
}

/**
 * Ends a conversation in which neither side has spoken for the profile's `silenceMs`: the profile's farewell is spoken,
 * and then the session is closed.
 */
export class Farewell {
  /** True from a listen's start to its stop, or to an abort. */
  listening = false;
  readonly #deps: FarewellDeps;
  readonly #device: string;
  readonly #session: string;
  /** Time of the user's last sign, ms. */
  #userAt: number;
  #asked = false;

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

  /** Checks the silence; called now and then. */
  check(): void {
    const { clock, playout, downlink, profile } = this.#deps;
    const silent = clock.now() - Math.max(this.#userAt, playout.reports.endedAt);
    if (this.#asked) {
      if (silent > fixedLimits.farewellMs) downlink.close("done");
      return;
    }
    const { silenceMs } = profile();
    if (this.listening && !playout.busy && silenceMs > 0 && silent >= silenceMs) this.#ask();
  }

  /** Asks tts for the farewell. */
  #ask(): void {
    const { bus, log, playout, downlink, profile, session: owner } = this.#deps;
    const { farewell: text, language } = profile();
    const session = this.#session;
    const reply = `farewell-${session}`;
    this.#asked = true;
    this.userActed();
    playout.reports.closeAfter(reply);
    const say = { session, reply, attempt: 1, sentence: 0, text, language, last: true };
    bus.store(channels.sayOpen(this.#device), say, { id: reply }).catch((err: unknown) => {
      if (!(err instanceof BusAwayError)) return owner.fail(err);
      log.warn({ err, device: this.#device, session }, "farewell failed, closing");
      downlink.close("done");
    });
  }
}
