import type { CloseName } from "@voxbus/protocol";
import type { Limits } from "../limits.ts";
import { isShown, nextState, type LifeEvent, type LifeState } from "./state.ts";

/** The times of a connection's life. */
type Times = Pick<Limits, "helloMs" | "pingMs" | "suspectMs" | "idleTimeoutMs">;

/** Gives the times of a device that shows a sign of life every `keepaliveMs`, or those of one that is pinged. */
export function timesFor(limits: Times, keepaliveMs: number | undefined): Times {
  if (keepaliveMs === undefined) return limits;
  const { helloMs } = limits;
  return { helloMs, pingMs: keepaliveMs, suspectMs: keepaliveMs, idleTimeoutMs: 1.5 * keepaliveMs };
}

/** Something that is due: a ping, a close, or news of another state. */
export type Beat =
  | { readonly do: "ping" }
  | { readonly do: "close"; readonly reason: CloseName }
  | { readonly do: "tell"; readonly state: LifeState };

/** Weight of one round trip in the average. */
const rttWeight = 1 / 8;

/**
 * Follows one connection's signs of life and decides its state: when to ping, to suspect, and to give up
 * (docs/protocol.md, life of a connection). All times in ms.
 */
export class Heartbeat {
  readonly #times: Times;
  readonly #since: number;
  #state: LifeState = "authenticating";
  #byteAt: number;
  #frameAt: number;
  #pingAt: number;
  #pingSentAt: number | undefined;
  #rtt: number | undefined;

  constructor(times: Times, now: number) {
    this.#times = times;
    this.#since = now;
    this.#byteAt = now;
    this.#frameAt = now;
    this.#pingAt = now + times.pingMs;
  }

  get state(): LifeState {
    return this.#state;
  }

  /** The time of the last sign of life: the last frame, ping or pong. */
  get seenAt(): number {
    return this.#byteAt;
  }

  /** Average round trip of the pings, ms; undefined before the first pong. */
  get rtt(): number | undefined {
    return this.#rtt;
  }

  /** Takes an event. Gives the new state if it is another one. */
  happen(event: LifeEvent): LifeState | undefined {
    const state = nextState(this.#state, event);
    if (state === this.#state) return undefined;
    this.#state = state;
    return state;
  }

  /** A text or binary frame came. Gives the new state if it is another one. */
  frame(now: number): LifeState | undefined {
    this.#byteAt = this.#frameAt = now;
    return this.#state === "active" ? undefined : this.happen("frame");
  }

  /** A ping came. Gives the new state if it is another one. */
  sign(now: number): LifeState | undefined {
    this.#byteAt = now;
    return this.#state === "suspicious" ? this.happen("sign") : undefined;
  }

  /** A pong came. Gives the new state if it is another one. */
  pong(now: number): LifeState | undefined {
    if (this.#pingSentAt !== undefined) {
      const rtt = now - this.#pingSentAt;
      this.#rtt = this.#rtt === undefined ? rtt : this.#rtt + (rtt - this.#rtt) * rttWeight;
      this.#pingSentAt = undefined;
    }
    return this.sign(now);
  }

  /** Gives the time of the next check, or undefined if none is due any longer. */
  nextCheck(now: number): number | undefined {
    const { helloMs, suspectMs, idleTimeoutMs, pingMs } = this.#times;
    if (this.#state === "authenticating") return this.#since + helloMs;
    if (!isShown(this.#state)) return undefined;
    const due = [
      this.#pingAt,
      this.#byteAt + idleTimeoutMs,
      ...(this.#state === "suspicious" ? [] : [this.#byteAt + suspectMs]),
      ...(this.#state === "active" ? [this.#frameAt + pingMs] : []),
    ];
    return Math.max(now + 1, Math.min(...due));
  }

  /** Checks the times. Gives what is due, in order. */
  check(now: number): readonly Beat[] {
    const { helloMs, pingMs, suspectMs, idleTimeoutMs } = this.#times;
    if (this.#state === "authenticating")
      return now < this.#since + helloMs ? [] : [{ do: "close", reason: "hello_timeout" }];
    if (!isShown(this.#state)) return [];
    if (now >= this.#byteAt + idleTimeoutMs) return [{ do: "close", reason: "heartbeat_timeout" }];
    const beats: Beat[] = [];
    if (now >= this.#byteAt + suspectMs && this.#state !== "suspicious") {
      this.#tell(beats, "silent");
      this.#ping(beats, now);
    } else if (now >= this.#pingAt) this.#ping(beats, now);
    if (now >= this.#pingAt) this.#pingAt = now + pingMs;
    if (now >= this.#frameAt + pingMs && this.#state === "active") this.#tell(beats, "quiet");
    return beats;
  }

  #tell(beats: Beat[], event: LifeEvent): void {
    const state = this.happen(event);
    if (state) beats.push({ do: "tell", state });
  }

  #ping(beats: Beat[], now: number): void {
    this.#pingSentAt = now;
    beats.push({ do: "ping" });
  }
}
