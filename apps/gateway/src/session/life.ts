import type { Registry } from "@voxbus/presence";
import type { AudioState, CloseName, Features } from "@voxbus/protocol";
import type { SessionEvents } from "../observe/session-events.ts";
import type { Clock } from "../playout/clock.ts";
import type { Heartbeat } from "./heartbeat.ts";
import { isShown, type LifeState } from "./state.ts";
import type { Transport } from "./transport.ts";

/** The session that lives. */
interface LivingSession {
  readonly id: string;
  readonly device: string;
  readonly features: Features;
  close(name: CloseName): void;
  /** Does what is due at `now`, ms of the clock. */
  tick(now: number): void;
}

/** Dependencies of a life. */
export interface LifeDeps {
  readonly heartbeat: Heartbeat;
  readonly clock: Clock;
  readonly transport: Transport;
  readonly events: SessionEvents;
  readonly registry: Registry;
  readonly session: LivingSession;
}

/** Follows the signs of life of one session, and tells observers and presence of its state. */
export class Life {
  readonly #deps: LifeDeps;
  /** The time of the next check. Only one is due at a time: each check causes the next one. */
  #checkAt = Infinity;

  constructor(deps: LifeDeps) {
    this.#deps = deps;
  }

  /** The connection was accepted: the device has a limited time for its hello. */
  begin(): void {
    this.#checkLater(this.#deps.clock.now());
  }

  /** The audio channel, if the session outlives it. */
  get audio(): AudioState | undefined {
    const { reachesIdle, hasAudio } = this.#deps.transport;
    if (!reachesIdle) return undefined;
    return hasAudio ? "open" : "closed";
  }

  /** A text or a packet came. Without an audio channel it is a sign of life, but no conversation. */
  frame(): void {
    const { heartbeat, clock, transport } = this.#deps;
    this.#tell(transport.hasAudio ? heartbeat.frame(clock.now()) : heartbeat.sign(clock.now()));
  }

  /** A ping came. */
  sign(): void {
    const { heartbeat, clock } = this.#deps;
    this.#tell(heartbeat.sign(clock.now()));
  }

  /** A pong came. */
  pong(): void {
    const { heartbeat, clock, events } = this.#deps;
    this.#tell(heartbeat.pong(clock.now()));
    events.rtt = heartbeat.rtt;
  }

  /** The device does not answer. */
  silent(): void {
    this.#tell(this.#deps.heartbeat.happen("silent"));
  }

  /** The session becomes active, or idle if it has no audio channel yet. */
  activate(): void {
    const { heartbeat, clock, session } = this.#deps;
    const state = heartbeat.happen("welcomed");
    this.#tell(this.audio === "closed" ? heartbeat.happen("quiet") : state);
    session.tick(clock.now());
  }

  /** The audio channel was opened or closed. */
  channelChanged(): void {
    const { heartbeat, clock, events, registry, session } = this.#deps;
    const { audio } = this;
    if (audio === "open") heartbeat.frame(clock.now());
    else heartbeat.happen("quiet");
    const { state } = heartbeat;
    if (!isShown(state) || audio === undefined) return;
    events.publish({ state, audio });
    registry.update(session.device, session.id, { state, audio, features: session.features });
  }

  /** Tells observers that the gateway drains. */
  drain(): void {
    const { state } = this.#deps.heartbeat;
    if (isShown(state)) this.#deps.events.publish({ state, reason: "draining" });
  }

  /** Checks the signs of life. */
  tick(now: number): void {
    const { heartbeat, transport, session } = this.#deps;
    if (now >= this.#checkAt) this.#checkAt = Infinity;
    for (const beat of heartbeat.check(now)) {
      if (beat.do === "ping") transport.ping();
      else if (beat.do === "tell") this.#tell(beat.state);
      else return session.close(beat.reason);
    }
    this.#checkLater(now);
  }

  #checkLater(now: number): void {
    const { heartbeat, clock, session } = this.#deps;
    const next = heartbeat.nextCheck(now) ?? Infinity;
    if (next >= this.#checkAt) return;
    this.#checkAt = next;
    clock.wake(session, next);
  }

  /** Tells observers and presence of another state. */
  #tell(state: LifeState | undefined): void {
    const { events, registry, session } = this.#deps;
    if (state === undefined || !isShown(state)) return;
    events.publish({ state });
    registry.update(session.device, session.id, { state });
  }
}
