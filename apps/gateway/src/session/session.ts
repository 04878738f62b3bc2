import type { Trace } from "@voxbus/bus";
import type { CloseName, DeviceMessage, DropReason, Features, FramingVersion, Outbound } from "@voxbus/protocol";
import { count } from "../observe/counters.ts";
import { SessionEvents } from "../observe/session-events.ts";
import { TurnObserver } from "../observe/turns.ts";
import type { SessionClock, Ticker } from "../playout/clock.ts";
import { Farewell } from "../playout/farewell.ts";
import { Playout } from "../playout/playout.ts";
import { Uplink } from "../uplink/uplink.ts";
import { Delivery } from "./delivery.ts";
import { Ending, type SessionEnd } from "./ending.ts";
import { Gate } from "./gate.ts";
import type { Handshake } from "./handshake.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Inbox } from "./inbox.ts";
import { listenOnSocket, nameSocketError, type SocketOwner } from "./listen-on.ts";
import { downlinkFormat, Outbox } from "./outbox.ts";
import type { SessionDeps } from "./session-deps.ts";
import { isShown, type LifeState } from "./state.ts";
import { TurnLimit } from "./turn-limit.ts";

/** The hub of a session. It is told when the hello was answered, and when the session is to end: then it calls `end`. */
export interface SessionOwner {
  opened(session: Session): void;
  ended(session: Session, end: SessionEnd): void;
}

/**
 * One WebSocket connection of one device: frames in, frames out, play-out, and the signs of life. Its methods never throw:
 * an exception in a session's path ends that session, with 1011.
 */
export class Session implements Ticker, SocketOwner {
  readonly id: string;
  readonly device: string;
  readonly remote: string;
  readonly since: number;
  readonly events: SessionEvents;
  readonly uplink: Uplink;
  readonly playout: Playout;
  features: Features = {};
  readonly #deps: SessionDeps;
  readonly #clock: SessionClock;
  readonly #gate: Gate;
  readonly #owner: SessionOwner;
  readonly #ending = new Ending(this);
  readonly #heartbeat: Heartbeat;
  readonly #turns: TurnObserver;
  readonly #outbox: Outbox;
  readonly #inbox: Inbox;
  readonly #delivery: Delivery;
  readonly #farewell: Farewell;
  readonly #framingIsKnown: boolean;
  #isOpen = false;

  constructor(deps: SessionDeps, handshake: Handshake, id: string, owner: SessionOwner) {
    const { socket, stream, device, framing, remote } = handshake;
    const { gateway, bus, wheel, limits, observe, settings } = deps;
    const { memory, turns: budget } = deps.budgets;
    const { log, counters } = observe;
    const { drops } = counters;
    this.#deps = deps;
    this.#owner = owner;
    this.id = id;
    this.since = bus.now();
    this.device = device;
    this.remote = remote;
    this.#framingIsKnown = framing !== undefined;
    const profile = () => settings.profile(device);
    const clock = (this.#clock = wheel.open(this));
    this.#gate = new Gate({ clock, limits, session: this }, socket, stream);
    const heartbeat = (this.#heartbeat = new Heartbeat(limits, clock.now()));
    const events = (this.events = new SessionEvents({ bus, drops }, device, { gateway, session: id }));
    const turns = (this.#turns = new TurnObserver(observe, events, { id, device, gateway }));
    const uplink = (this.uplink = new Uplink({ bus, memory, drops, session: this }, device, id));
    const outboxDeps = { clock, counters, limits, heartbeat, ending: this.#ending };
    const outbox = (this.#outbox = new Outbox(outboxDeps, socket, id, framing ?? 1));
    const playoutDeps = { ...settings, downlink: outbox, uplink, clock, memory, drops, limits, turns, profile };
    const playout = (this.playout = new Playout(playoutDeps));
    const farewell = new Farewell({ bus, log, clock, playout, downlink: outbox, profile, session: this }, device, id);
    this.#farewell = farewell;
    const turnLimit = new TurnLimit({ budget, clock, drops, downlink: outbox }, device);
    const parts = { uplink, playout, farewell, outbox, turnLimit };
    const onLeftOut = (field: string) => log.info({ device, session: id, field }, "malformed field left out");
    this.#inbox = new Inbox({ gateway, clock, counters, profile, turns, parts, onLeftOut });
    this.#delivery = new Delivery(turns, parts, this.#inbox);
    listenOnSocket(socket, this);
    clock.wake(this, clock.now() + limits.helloMs);
  }

  received(data: Buffer, isBinary: boolean): void {
    this.contain(() => (isBinary ? this.#receiveAudio(data) : this.#receiveText(data)));
  }

  ponged(): void {
    if (!this.#gate.frame() || this.ended) return;
    this.contain(() => {
      this.#tell(this.#heartbeat.pong(this.#clock.now()));
      this.events.rtt = this.#heartbeat.rtt;
      this.#outbox.pong();
    });
  }

  pinged(): void {
    if (!this.#gate.frame() || this.ended) return;
    this.contain(() => {
      this.#tell(this.#heartbeat.sign(this.#clock.now()));
      this.#outbox.pinged();
    });
  }

  gone(code: number): void {
    this.#heartbeat.happen("gone");
    this.#ending.request({ reason: "gone", code });
  }

  #receiveText(data: Buffer): void {
    // Text that was read before the socket paused still counts: without a `stop`, a listen would never end.
    this.#gate.text(data.byteLength);
    // ws delivers what comes after our Close frame too.
    if (this.ended) return this.#drop("after-end");
    this.#tell(this.#heartbeat.frame(this.#clock.now()));
    const hello = this.#inbox.text(data.toString("utf8"), this.#isOpen);
    if (hello && !this.ended) this.#open(hello);
  }

  #receiveAudio(data: Buffer): void {
    const admitted = this.#gate.frame();
    if (this.ended) return this.#drop("after-end");
    if (!admitted) return this.#drop("rate");
    this.#tell(this.#heartbeat.frame(this.#clock.now()));
    if (this.#isOpen) this.#inbox.audio(data);
    else this.#drop("before-hello");
  }

  /** Answers the hello from memory. Everything slower follows. */
  #open(hello: Extract<DeviceMessage, { type: "hello" }>): void {
    const outbox = this.#outbox;
    if (!this.#framingIsKnown && (hello.version === 2 || hello.version === 3)) outbox.framing = hello.version;
    this.features = hello.features;
    this.#isOpen = true;
    // Before anything that may end the session, so that the owner is told in order.
    queueMicrotask(() => this.contain(() => this.#owner.opened(this)));
    outbox.writeText({ type: "hello", transport: "websocket", session_id: this.id, audio_params: downlinkFormat });
    const audio = hello.audio_params ?? hello.audioParams;
    const body = {
      type: "opened" as const,
      gateway: this.#deps.gateway,
      protocol: outbox.framing,
      features: this.features,
      sampleRate: Math.round(audio?.sampleRate ?? 16_000),
      frameDuration: audio?.frameDuration ?? 60,
    };
    this.uplink.send({ kind: "control", body });
  }

  /** Runs `act`. An exception ends this session, and nothing else. */
  contain(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Ends the session after an exception in its path. */
  fail(err: unknown): void {
    const { device, id: session } = this;
    const { counters, log } = this.#deps.observe;
    counters.errors.session_error += 1;
    log.error({ err, device, session }, "session failed, closing");
    try {
      this.#outbox.close("error");
    } catch (err) {
      log.error({ err, device, session }, "session failed to close, TCP dropped");
      this.#outbox.terminate();
    }
  }

  socketFailed(error: Error & { readonly code?: string }): void {
    const { device, id: session } = this;
    const { log } = this.#deps.observe;
    const { code = "" } = error;
    if (!code.startsWith("WS_ERR")) return log.debug({ err: error, device, session }, "socket failed");
    log.warn({ err: error, device, session }, "frame invalid, closing");
    this.close(nameSocketError(code));
  }

  /** True once the hello was answered. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** True once an end was requested, or the socket is gone. */
  get ended(): boolean {
    return this.#ending.isRequested;
  }

  /** The end was requested. */
  settle(end: SessionEnd): void {
    this.contain(() => this.#owner.ended(this, end));
    this.#heartbeat.happen("cleaned");
  }

  /** The time of the device's last sign of life, ms since the epoch. */
  get lastSeen(): number {
    return this.#deps.bus.now() - Math.max(0, Math.round(this.#clock.now() - this.#heartbeat.seenAt));
  }

  get framing(): FramingVersion {
    return this.#outbox.framing;
  }

  get state(): LifeState {
    return this.#heartbeat.state;
  }

  /** The hello was answered, and frames for the device arrive from the bus: the session becomes active. */
  activate(): void {
    this.#tell(this.#heartbeat.happen("welcomed"));
    this.tick(this.#clock.now());
  }

  /** Tells observers that the gateway drains. */
  drain(): void {
    const { state } = this;
    if (isShown(state)) this.contain(() => this.events.publish({ state, reason: "draining" }));
  }

  /** Tells observers and presence of another state. */
  #tell(state: LifeState | undefined): void {
    if (state === undefined || !isShown(state)) return;
    this.events.publish({ state });
    this.#deps.registry.update(this.device, this.id, state);
  }

  /** Checks the signs of life; called by the clock. */
  tick(now: number): void {
    if (this.ended) return;
    for (const beat of this.#heartbeat.check(now)) {
      if (beat.do === "ping") this.#outbox.ping();
      else if (beat.do === "tell") this.#tell(beat.state);
      else return this.close(beat.reason);
    }
    const next = this.#heartbeat.nextCheck(now);
    if (next !== undefined) this.#clock.wake(this, next);
  }

  /** Takes a frame of the bus for this device. */
  deliver(out: Outbound, trace: Trace): void {
    this.contain(() => this.#deliver(out, trace));
  }

  #deliver(out: Outbound, trace: Trace): void {
    if (!this.#isOpen || this.ended) return this.#drop("no-session");
    if (out.session !== undefined && out.session !== this.id) return this.#drop("other-session");
    this.#delivery.take(out, trace);
  }

  #drop(reason: DropReason): void {
    this.#deps.observe.counters.drops[reason] += 1;
  }

  /** Publishes frames that waited for NATS. */
  resume(): void {
    if (!this.ended) this.contain(() => this.#inbox.resume());
  }

  /** Does what is due every second: forgets old frames, and ends a silent conversation. `wall` in ms since the epoch. */
  sweep(wall: number): void {
    this.uplink.prune(wall);
    this.resume();
    if (!this.#isOpen || this.ended) return;
    this.contain(() => {
      this.#inbox.check();
      this.#farewell.check();
    });
  }

  /** Closes the socket. Nothing happens if the session has ended. */
  close(reason: CloseName): void {
    this.contain(() => this.#outbox.close(reason));
  }

  /** Completes the end: reports open turns, and publishes that the session is closed. */
  end({ reason, code }: SessionEnd): void {
    count(this.#deps.observe.counters.closes, reason);
    if (reason !== "gone") this.#heartbeat.happen("close");
    this.#clock.close();
    this.contain(() => this.playout.close());
    this.contain(() => this.#turns.close());
    if (!this.#isOpen) return;
    this.contain(() => this.uplink.send({ kind: "control", body: { type: "closed", code, reason } }));
  }

  /** Releases everything that the session keeps. */
  release(): void {
    this.uplink.close();
  }
}
