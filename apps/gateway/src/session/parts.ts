import type { Bus } from "@voxbus/bus";
import type { Registry } from "@voxbus/presence";
import { channels, type CloseName, type Features, type Profile } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { isValid } from "ulid";
import type { Limits } from "../limits.ts";
import type { MemoryBudget } from "../memory-budget.ts";
import type { Counters } from "../observe/counters.ts";
import { refusedFrames, type FrameRefusal } from "../observe/refused-frames.ts";
import { SessionEvents } from "../observe/session-events.ts";
import { TurnObserver } from "../observe/turns.ts";
import type { Failing, SessionClock, Ticker } from "../playout/clock.ts";
import { Farewell, type FarewellDeps } from "../playout/farewell.ts";
import type { PhraseSounds } from "../playout/phrases.ts";
import { Playout } from "../playout/playout.ts";
import type { PlayoutDeps } from "../playout/playout-deps.ts";
import { ShownReplies, type ShownReply } from "../playout/shown-replies.ts";
import { Uplink, type UplinkDeps } from "../uplink/uplink.ts";
import { AudioChannel, type AudioChannelDeps } from "./audio-channel.ts";
import { Delivery } from "./delivery.ts";
import { Ending, type SessionEnd } from "./ending.ts";
import { Gate, type GateDeps } from "./gate.ts";
import { Heartbeat, timesFor } from "./heartbeat.ts";
import { Inbox, type InboxDeps } from "./inbox.ts";
import { Life, type LifeDeps } from "./life.ts";
import { Outbox, type OutboxDeps } from "./outbox.ts";
import { Receipts } from "./receipts.ts";
import type { SessionDeps } from "./session-deps.ts";
import type { Transport } from "./transport.ts";
import type { TurnBudget } from "./turn-budget.ts";
import { TurnLimit, type TurnLimitDeps } from "./turn-limit.ts";

/** A session is this old when no frame for one before it can be on its way any more, ms. */
const onItsWayMs = 60_000;

type AllDeps = GateDeps &
  OutboxDeps &
  InboxDeps &
  PlayoutDeps &
  FarewellDeps &
  TurnLimitDeps &
  UplinkDeps &
  AudioChannelDeps &
  LifeDeps;

/** The session that the parts belong to. */
interface PartsOwner extends Failing, Ticker {
  readonly id: string;
  readonly device: string;
  readonly features: Features;
  channelChanged(): void;
  contain(act: () => void): void;
  close(name: CloseName): void;
  settle(end: SessionEnd): void;
}

/**
 * The parts of one session, and all that they need of each other and of the gateway. One object serves them all, with
 * getters, because most sessions are silent at most times. Parts that a silent session does without are created when they
 * are first used.
 */
export class Parts implements AllDeps {
  readonly session: PartsOwner;
  readonly transport: Transport;
  readonly clock: SessionClock;
  readonly ending: Ending;
  readonly heartbeat: Heartbeat;
  readonly life: Life;
  readonly events: SessionEvents;
  readonly uplink: Uplink;
  readonly gate: Gate;
  readonly outbox: Outbox;
  readonly inbox: Inbox;
  readonly #shared: SessionDeps;
  #turns: TurnObserver | undefined;
  #playout: Playout | undefined;
  #farewell: Farewell | undefined;
  #turnLimit: TurnLimit | undefined;
  #delivery: Delivery | undefined;
  #channel: AudioChannel | undefined;
  #shown: ShownReplies | undefined;
  #receipts: Receipts | undefined;

  constructor(shared: SessionDeps, session: PartsOwner, transport: Transport) {
    this.#shared = shared;
    this.session = session;
    this.transport = transport;
    this.clock = shared.wheel.open(session);
    this.ending = new Ending(session);
    this.gate = new Gate(this);
    this.heartbeat = new Heartbeat(timesFor(shared.limits, transport.keepaliveMs), this.clock.now());
    this.events = new SessionEvents(this, this);
    this.life = new Life(this);
    this.uplink = new Uplink(this, session.device, session.id);
    this.outbox = new Outbox(this, session.id);
    this.inbox = new Inbox(this);
  }

  get turns(): TurnObserver {
    return (this.#turns ??= new TurnObserver(this.#shared.observe, this.events, this));
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

  get channel(): AudioChannel {
    return (this.#channel ??= new AudioChannel(this));
  }

  /** The announcements for a device without an audio channel. */
  get shown(): ShownReplies {
    return (this.#shown ??= new ShownReplies(this));
  }

  get receipts(): Receipts {
    return (this.#receipts ??= new Receipts(this));
  }

  /** The parts that are there already. */
  get used() {
    const [playout, farewell, shown, receipts] = [this.#playout, this.#farewell, this.#shown, this.#receipts];
    return { playout, farewell, shown, receipts, turns: this.#turns };
  }

  /** Forgets the farewell of a conversation that is over. */
  endFarewell(): void {
    this.#farewell = undefined;
  }

  /** Shows an announcement to a device without an audio channel. */
  show({ reply, alert, packets }: ShownReply): void {
    const isWritten = this.outbox.writeText(alert);
    const { settings } = this.#shared;
    const url = packets.length > 0 ? settings.keepSound(packets, this.transport.localAddress) : undefined;
    // Firmware that does not know it ignores it.
    if (url !== undefined) this.outbox.writeText({ type: "notify", audio_url: url });
    if (isWritten) this.askForReceipt(reply);
  }

  /** Finds out whether an idle device got what was written last. */
  askForReceipt(reply: string | undefined): void {
    if (!this.transport.hasAudio && this.session.features.mcp) this.receipts.ask(reply);
  }

  /** Finds out when the device was told to speak. Sound over UDP may overtake text over TCP. */
  askForStart(): void {
    if (this.transport.reachesIdle && this.session.features.mcp) this.receipts.askStart();
  }

  /** True while that is not known yet. */
  get startsSpeaking(): boolean {
    return this.#receipts?.startsSpeaking === true;
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

  get registry(): Registry {
    return this.#shared.registry;
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

  get observe(): SessionDeps["observe"] {
    return this.#shared.observe;
  }

  get counters(): Counters {
    return this.observe.counters;
  }

  get drops(): Counters["drops"] {
    return this.counters.drops;
  }

  get log(): Log {
    return this.observe.log;
  }

  mayTalk(): boolean {
    return this.#shared.settings.mayTalk();
  }

  get phrase(): PhraseSounds {
    return this.#shared.settings.phrase;
  }

  get profile(): () => Profile {
    const { device } = this;
    const { settings } = this.#shared;
    return () => settings.profile(device);
  }

  refuseFrame(...[reason, rule]: Parameters<FrameRefusal["refuseFrame"]>): void {
    this.bus.drop(channels.out(this.device).subject, reason, { ...refusedFrames[reason], ...rule });
  }

  /** Drops a frame for another session than this one, which began at `since`. A frame for an earlier one may have been on its way. */
  refuseSession(session: string, since: number): void {
    const isEarlier = isValid(session) && session < this.id;
    if (isEarlier && this.bus.now() - since < onItsWayMs) this.drops["other-session"] += 1;
    else this.refuseFrame("other-session");
  }

  /** Logs a field of the device's messages that is left out. */
  onLeftOut(field: string): void {
    const { device, id: session } = this;
    this.log.info({ device, session, field }, "malformed field left out");
  }
}
