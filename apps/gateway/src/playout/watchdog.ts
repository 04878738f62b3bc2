import type { Profile } from "@voxbus/protocol";
import type { Uplink } from "../uplink/uplink.ts";
import type { PlayoutBuffer } from "./buffer.ts";

/** A reply that has not grown for this long in its middle is asked for again, and then again at this interval, ms. */
const resendMs = 1000;
/** If a deadline fires this late (ms), our own event loop stalled. */
const stallMs = 1000;

/** Watches over turns and replies: deadlines, stalls, and frames that are missing. All times in ms. */
export class Watchdog {
  readonly #uplink: Pick<Uplink, "send">;
  readonly #profile: () => Pick<Profile, "deadlineMs" | "dryMs">;

  constructor(uplink: Pick<Uplink, "send">, profile: () => Pick<Profile, "deadlineMs" | "dryMs">) {
    this.#uplink = uplink;
    this.#profile = profile;
  }

  /** The time at which a turn that began at `since` has waited too long for its reply. */
  deadline(since: number): number {
    return since + this.#profile().deadlineMs;
  }

  /**
   * Checks a reply that is not complete and has nothing left to play since `soundEnd`. Gives the time of the next check,
   * or `starved` if the reply stopped growing. Asks for missing frames every second: while NATS is away, or before tts is
   * back, the request is lost.
   */
  check(reply: PlayoutBuffer, soundEnd: number, now: number): number | "starved" {
    const { dryMs } = this.#profile();
    let dryAt = Math.max(reply.fedAt, soundEnd) + dryMs;
    if (now >= dryAt + stallMs) {
      // This process stood still. Frames that came meanwhile are read next.
      dryAt = now + stallMs;
      reply.fedAt = dryAt - dryMs;
    }
    if (now >= dryAt) return "starved";
    if (now >= (reply.askedAt ?? reply.fedAt) + resendMs) this.requestResend(reply, now);
    return Math.min((reply.askedAt ?? reply.fedAt) + resendMs, dryAt);
  }

  /** Asks tts for the frames after the last accepted one, at most once a second. */
  requestResend(reply: PlayoutBuffer, now: number): void {
    if (reply.askedAt !== undefined && now - reply.askedAt < resendMs) return;
    reply.askedAt = now;
    const after = reply.accepted;
    const origin = reply.origin === undefined ? {} : { origin: reply.origin };
    const body = { type: "resend" as const, reply: reply.id, ...origin, ...(after ? { after } : {}) };
    this.#uplink.send({ kind: "control", body });
  }
}
