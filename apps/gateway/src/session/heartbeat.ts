import type { CloseName } from "@voxbus/protocol";
import type { Clock, Ticker } from "../playout/clock.ts";
import { nextState, type LifeEvent, type LifeState } from "./state.ts";

/** Times of a connection's life, ms. */
export interface LifeTimes {
  /** From the upgrade to the hello. */
  readonly helloMs: number;
  /** Between pings, and without a frame until `idle`. */
  readonly pingMs: number;
  /** Without a byte until `suspicious`. */
  readonly suspectMs: number;
  /** Without a byte until the connection counts as dead. */
  readonly zombieMs: number;
}

/** What a heartbeat does. */
export interface HeartbeatEffects {
  ping(): void;
  close(name: CloseName): void;
  changed(state: LifeState): void;
}

/** How much one round trip counts in the average. */
const rttWeight = 1 / 8;

/** One connection's state and signs of life: pings, suspects, and gives up (docs/protocol.md, life of a connection). */
export class Heartbeat implements Ticker {
  readonly #clock: Clock;
  readonly #times: LifeTimes;
  readonly #effects: HeartbeatEffects;
  readonly #since: number;
  #state: LifeState = "authenticating";
  #byteAt: number;
  #frameAt: number;
  #pingAt: number;
  #pingSentAt: number | undefined;
  #rtt: number | undefined;

  constructor(clock: Clock, times: LifeTimes, effects: HeartbeatEffects) {
    this.#clock = clock;
    this.#times = times;
    this.#effects = effects;
    this.#since = clock.now();
    this.#byteAt = this.#since;
    this.#frameAt = this.#since;
    this.#pingAt = this.#since + times.pingMs;
    clock.wake(this, this.#since + times.helloMs);
  }

  get state(): LifeState {
    return this.#state;
  }

  /** Average round trip of the pings in ms, undefined before the first pong. */
  get rtt(): number | undefined {
    return this.#rtt;
  }

  /** Something happened; tells `changed` when that changes the state. */
  happen(event: LifeEvent): void {
    const state = nextState(this.#state, event);
    if (state === this.#state) return;
    const first = this.#state === "authenticating";
    this.#state = state;
    this.#effects.changed(state);
    if (first && state === "active") this.tick(this.#clock.now());
  }

  /** A text or binary frame came. */
  frame(): void {
    this.#byteAt = this.#frameAt = this.#clock.now();
    if (this.#state !== "active") this.happen("frame");
  }

  /** A ping came. */
  sign(): void {
    this.#byteAt = this.#clock.now();
    if (this.#state === "suspicious") this.happen("sign");
  }

  /** A pong came. */
  pong(): void {
    this.sign();
    if (this.#pingSentAt === undefined) return;
    const rtt = this.#byteAt - this.#pingSentAt;
    this.#rtt = this.#rtt === undefined ? rtt : this.#rtt + (rtt - this.#rtt) * rttWeight;
    this.#pingSentAt = undefined;
  }

  #ping(now: number): void {
    this.#pingSentAt = now;
    this.#effects.ping();
  }

  /** Looks at the times; called by the clock. */
  tick(now: number): void {
    const { helloMs, pingMs, suspectMs, zombieMs } = this.#times;
    if (this.#state === "authenticating") {
      const at = this.#since + helloMs;
      if (now >= at) this.#effects.close("hello_timeout");
      else this.#clock.wake(this, at);
      return;
    }
    if (this.#state !== "active" && this.#state !== "idle" && this.#state !== "suspicious") return;
    if (now >= this.#byteAt + zombieMs) return this.#effects.close("heartbeat_timeout");
    if (now >= this.#byteAt + suspectMs && this.#state !== "suspicious") {
      this.happen("silent");
      this.#ping(now);
    } else if (now >= this.#pingAt) this.#ping(now);
    if (now >= this.#pingAt) this.#pingAt = now + pingMs;
    if (now >= this.#frameAt + pingMs && this.#state === "active") this.happen("quiet");
    const due = [
      this.#pingAt,
      this.#byteAt + zombieMs,
      ...(this.#state === "suspicious" ? [] : [this.#byteAt + suspectMs]),
      ...(this.#state === "active" ? [this.#frameAt + pingMs] : []),
    ];
    this.#clock.wake(this, Math.max(now + 1, Math.min(...due)));
  }
}
