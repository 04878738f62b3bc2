import type { Bus } from "@voxbus/bus";
import type { Profile } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import type { Limits } from "../limits.ts";
import type { MemoryBudget } from "../memory-budget.ts";
import type { Counters } from "../observe/counters.ts";
import { SessionEvents } from "../observe/session-events.ts";
import { TurnObserver } from "../observe/turns.ts";
import type { Failing, SessionClock, Ticker } from "../playout/clock.ts";
import { Farewell, type FarewellDeps } from "../playout/farewell.ts";
import type { PhraseSounds } from "../playout/phrases.ts";
import { Playout } from "../playout/playout.ts";
import type { PlayoutDeps } from "../playout/playout-deps.ts";
import { Uplink, type UplinkDeps } from "../uplink/uplink.ts";
import { Delivery } from "./delivery.ts";
import { Ending, type SessionEnd } from "./ending.ts";
import { Gate, type GateDeps } from "./gate.ts";
import type { Handshake } from "./handshake.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Inbox, type InboxDeps } from "./inbox.ts";
import { Outbox, type OutboxDeps } from "./outbox.ts";
import type { SessionDeps } from "./session-deps.ts";
import type { TurnBudget } from "./turn-budget.ts";
import { TurnLimit, type TurnLimitDeps } from "./turn-limit.ts";

type AllDeps = GateDeps & OutboxDeps & InboxDeps & PlayoutDeps & FarewellDeps & TurnLimitDeps & UplinkDeps;

/** The session that the parts belong to. */
interface PartsOwner extends Failing {
  readonly id: string;
  readonly device: string;
  close(name: "flood"): void;
  settle(end: SessionEnd): void;
}

/**
 * The parts of one session, and all that they need of each other and of the gateway. One object serves them all, with
 * getters, because most sessions are silent at most times. Parts that a silent session does without are created when they
 * are first used.
 */
export class Parts implements AllDeps {
  readonly session: PartsOwner;
  readonly clock: SessionClock;
  readonly ending: Ending;
  readonly heartbeat: Heartbeat;
  readonly events: SessionEvents;
  readonly turns: TurnObserver;
  readonly uplink: Uplink;
  readonly gate: Gate;
  readonly outbox: Outbox;
  readonly inbox: Inbox;
  readonly #shared: SessionDeps;
  #playout: Playout | undefined;
  #farewell: Farewell | undefined;
  #turnLimit: TurnLimit | undefined;
  #delivery: Delivery | undefined;

  constructor(shared: SessionDeps, session: PartsOwner & Ticker, { socket, stream, framing = 1 }: Handshake) {
    this.#shared = shared;
    this.session = session;
    this.clock = shared.wheel.open(session);
    this.ending = new Ending(session);
    this.gate = new Gate(this, socket, stream);
    this.heartbeat = new Heartbeat(shared.limits, this.clock.now());
    this.events = new SessionEvents(this, this);
    this.turns = new TurnObserver(shared.observe, this.events, this);
    this.uplink = new Uplink(this, session.device, session.id);
    this.outbox = new Outbox(this, socket, session.id, framing);
    this.inbox = new Inbox(this);
  }

  get playout(): Playout {
    return (this.#playout ??= new Playout(this));
  }

  get farewell(): Farewell {
    return (this.#farewell ??= new Farewell(this, this.device, this.id));
  }

  get turnLimit(): TurnLimit {
    return (this.#turnLimit ??= new TurnLimit(this, this.device));
  }

  get delivery(): Delivery {
    return (this.#delivery ??= new Delivery(this.turns, this, this.inbox));
  }

  /** The parts that are there already. */
  get used(): { readonly playout: Playout | undefined; readonly farewell: Farewell | undefined } {
    return { playout: this.#playout, farewell: this.#farewell };
  }

  get id(): string {
    return this.session.id;
  }

  get device(): string {
    return this.session.device;
  }

  get parts(): this {
    return this;
  }

  get downlink(): Outbox {
    return this.outbox;
  }

  get gateway(): string {
    return this.#shared.gateway;
  }

  get bus(): Bus {
    return this.#shared.bus;
  }

  get limits(): Limits {
    return this.#shared.limits;
  }

  get memory(): MemoryBudget {
    return this.#shared.budgets.memory;
  }

  get budget(): TurnBudget {
    return this.#shared.budgets.turns;
  }

  get counters(): Counters {
    return this.#shared.observe.counters;
  }

  get drops(): Counters["drops"] {
    return this.counters.drops;
  }

  get log(): Log {
    return this.#shared.observe.log;
  }

  get phrase(): PhraseSounds {
    return this.#shared.settings.phrase;
  }

  get profile(): () => Profile {
    const { device } = this;
    const { settings } = this.#shared;
    return () => settings.profile(device);
  }

  /** Logs a field of the device's messages that is left out. */
  onLeftOut(field: string): void {
    const { device, id: session } = this;
    this.log.info({ device, session, field }, "malformed field left out");
  }
}
