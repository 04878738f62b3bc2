import type { Outbound, Profile } from "@voxbus/protocol";
import type { Uplink } from "../uplink/uplink.ts";
import { PlayoutBuffer } from "./buffer.ts";
import type { AwaitedTurn, Turn } from "./turn.ts";

/** A reply that has not grown for this long in its middle is asked for again, and then again at this interval, ms. */
const resendMs = 1000;
/** The same, while somebody works on it, ms: it is not late, and most likely nothing was lost. */
const workingResendMs = 5000;
/** Somebody works on it if the last sign is not older, ms. Signs come every second. */
const workingMs = 2000;
/** The shortest limit between two signs of life, ms: it must not depend on a late one. */
const leastMs = 3000;
/** If a deadline fires this late (ms), our own event loop stalled. */
const stallMs = 1000;

/** The work that a sign of life tells of: on the turn `origin`, or on the announcement `reply`. */
export type Work = Pick<Outbound, "origin" | "reply">;

/**
 * Watches over turns and replies: those that no program works on, and frames that are missing. All times in ms. The work itself
 * has its limits where it is done.
 */
export class Watchdog {
  readonly #uplink: Pick<Uplink, "send">;
  readonly #profile: () => Pick<Profile, "deadlineMs" | "dryMs">;

  constructor(uplink: Pick<Uplink, "send">, profile: () => Pick<Profile, "deadlineMs" | "dryMs">) {
    this.#uplink = uplink;
    this.#profile = profile;
  }

  /** Takes a sign of life: the turns that the work is for are not given up. A turn's answer is one to all before it, too. */
  sign({ origin = 0, reply }: Work, turns: readonly (Turn | undefined)[], now: number): void {
    for (const turn of turns) {
      if (!turn) continue;
      const isMeant =
        turn instanceof PlayoutBuffer ? turn.id === reply || turn.origin === origin : turn.origin <= origin;
      if (isMeant) turn.aliveAt = now;
    }
  }

  /** The time at which a turn has waited too long for a frame of its reply, or for a sign of life. */
  deadline(turn: AwaitedTurn, now: number): number {
    return endWait(turn, { since: 0, limitMs: this.#profile().deadlineMs, now });
  }

  /**
   * Checks a reply that is not complete and has nothing left to play since `soundEnd`. Gives the time of the next check,
   * or `starved` if the reply stopped growing. Asks for missing frames every second: while NATS is away, or before tts is
   * back, the request is lost.
   */
  check(reply: PlayoutBuffer, soundEnd: number, now: number): number | "starved" {
    const since = Math.max(reply.fedAt, soundEnd);
    const dryAt = endWait(reply, { since, limitMs: this.#profile().dryMs, now });
    if (now >= dryAt) return "starved";
    if (now >= nextRequest(reply)) this.requestResend(reply, now);
    return Math.min(nextRequest(reply), dryAt);
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

/** Gives the time at which missing frames are asked for if no further sign of life comes. */
function nextRequest({ askedAt, fedAt, aliveAt }: PlayoutBuffer): number {
  const from = askedAt ?? fedAt;
  return Math.min(from + workingResendMs, Math.max(from + resendMs, aliveAt + workingMs));
}

/** Gives the time at which a wait has lasted for `limitMs` since its last sign of life, at least since `since`. */
function endWait(
  wait: Turn,
  { since, limitMs, now }: { readonly since: number; readonly limitMs: number; readonly now: number },
): number {
  const patienceMs = Math.max(leastMs, limitMs);
  const at = Math.max(wait.aliveAt, since) + patienceMs;
  if (now < at + stallMs) return at;
  // This process stood still. What came meanwhile is read next.
  wait.aliveAt = now + stallMs - patienceMs;
  return now + stallMs;
}
