import type { Trace } from "@voxbus/bus";
import type {
  AudioState,
  CloseName,
  DeviceHello,
  DropReason,
  Features,
  FramingVersion,
  Outbound,
} from "@voxbus/protocol";
import { count } from "../observe/counters.ts";
import type { SessionEvents } from "../observe/session-events.ts";
import type { Limits } from "../limits.ts";
import type { Clock, Ticker } from "../playout/clock.ts";
import type { Uplink } from "../uplink/uplink.ts";
import type { SessionEnd } from "./ending.ts";
import type { Handshake } from "./handshake.ts";
import { Parts } from "./parts.ts";
import type { SessionDeps } from "./session-deps.ts";
import type { LifeState } from "./state.ts";
import type { TransportSession } from "./transport.ts";

/** The hub of a session. It is told when the hello was answered, and when the session is to end: then it calls `end`. */
export interface SessionOwner {
  opened(session: Session): void;
  ended(session: Session, end: SessionEnd): void;
  /** The audio channel of a session that outlives it was opened or closed. */
  channelChanged(session: Session): void;
}

/**
 * One connection of one device: frames in, frames out, play-out, and the signs of life. Its methods never throw:
 * an exception in a session's path ends that session, with 1011.
 */
export class Session implements Ticker, TransportSession {
  readonly id: string;
  readonly device: string;
  readonly remote: string;
  readonly since: number;
  features: Features = {};
  readonly #deps: SessionDeps;
  readonly #owner: SessionOwner;
  readonly #parts: Parts;
  #isOpen = false;

  constructor(deps: SessionDeps, handshake: Handshake, id: string, owner: SessionOwner) {
    const { transport, device, remote } = handshake;
    this.#deps = deps;
    this.#owner = owner;
    this.id = id;
    this.since = deps.bus.now();
    this.device = device;
    this.remote = remote;
    this.#parts = new Parts(deps, this, transport);
    transport.start(this);
    if (transport.reachesIdle) this.contain(() => this.#beginIdle());
    else this.#parts.life.begin();
  }

  read(bytes: number): void {
    this.#parts.gate.read(bytes);
  }

  text(data: Buffer): void {
    this.contain(() => this.#receiveText(data));
  }

  audio(data: Buffer): void {
    this.contain(() => this.#receiveAudio(data));
  }

  ponged(): void {
    if (!this.#parts.gate.frame() || this.ended) return;
    this.contain(() => this.#parts.life.pong());
  }

  pinged(): void {
    if (!this.#parts.gate.frame() || this.ended) return;
    this.contain(() => this.#parts.life.sign());
  }

  gone(code: number): void {
    this.#parts.heartbeat.happen("gone");
    this.#parts.ending.request({ reason: "gone", code });
  }

  #receiveText(data: Buffer): void {
    // Text that was read before the socket paused still counts: without a `stop`, a listen would never end.
    this.#parts.gate.text(data.byteLength);
    // What comes after our end is delivered too.
    if (this.ended) return this.#drop("after-end");
    this.#parts.life.frame();
    const hello = this.#parts.inbox.text(data.toString("utf8"), this.#isOpen);
    if (hello && !this.ended) this.#open(hello);
  }

  #receiveAudio(data: Buffer): void {
    const admitted = this.#parts.gate.frame();
    if (this.ended) return this.#drop("after-end");
    if (!admitted) return this.#drop("rate");
    this.#parts.life.frame();
    if (this.#isOpen) this.#parts.inbox.audio(data);
    else this.#drop("before-hello");
  }

  /** Begins the session of a device that says no hello until it has something to say. */
  #beginIdle(): void {
    // Stock firmware has tools. Its hello tells.
    this.features = { mcp: true };
    this.#begin();
    this.#parts.channel.begin();
  }

  #begin(): void {
    this.#isOpen = true;
    // Before anything that may end the session, so that the owner is told in order.
    queueMicrotask(() => this.contain(() => this.#owner.opened(this)));
  }

  #open(hello: DeviceHello): void {
    this.features = hello.features;
    if (!this.#isOpen) this.#begin();
    this.#parts.channel.open(hello);
  }

  /** Tells observers and presence that the audio channel was opened or closed. */
  channelChanged(): void {
    this.#owner.channelChanged(this);
    this.#parts.life.channelChanged();
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
      this.#parts.outbox.close("error");
    } catch (err) {
      log.error({ err, device, session }, "session failed to close, TCP dropped");
      this.#parts.transport.destroy();
    }
  }

  broke(err: Error, name: CloseName | undefined): void {
    const { device, id: session } = this;
    const { log } = this.#deps.observe;
    if (name === undefined) return log.debug({ err, device, session }, "socket failed");
    log.warn({ err, device, session }, "frame invalid, closing");
    this.close(name);
  }

  get clock(): Clock {
    return this.#parts.clock;
  }

  get limits(): Limits {
    return this.#deps.limits;
  }

  get answersPings(): boolean {
    return this.#parts.heartbeat.rtt !== undefined;
  }

  get events(): SessionEvents {
    return this.#parts.events;
  }

  get uplink(): Uplink {
    return this.#parts.uplink;
  }

  /** True from `tts` `start` to `tts` `stop`. */
  get speaking(): boolean {
    return this.#parts.used.playout?.speaking === true;
  }

  /** True while the user speaks, something is being thought or said, or live audio goes on. */
  get busy(): boolean {
    return this.#parts.used.playout?.busy === true;
  }

  /** The audio channel, if the session outlives it. */
  get channel(): AudioState | undefined {
    return this.#parts.life.audio;
  }

  /** True once the session was opened: by the hello, or at once. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** True once an end was requested, or the socket is gone. */
  get ended(): boolean {
    return this.#parts.ending.isRequested;
  }

  /** The end was requested. */
  settle(end: SessionEnd): void {
    this.contain(() => this.#owner.ended(this, end));
    this.#parts.heartbeat.happen("cleaned");
  }

  /** The time of the device's last sign of life, ms since the epoch. */
  get lastSeen(): number {
    return this.#deps.bus.now() - Math.max(0, Math.round(this.#parts.clock.now() - this.#parts.heartbeat.seenAt));
  }

  get framing(): FramingVersion {
    return this.#parts.transport.framing;
  }

  get state(): LifeState {
    return this.#parts.heartbeat.state;
  }

  /** The session was opened, and frames for the device arrive from the bus: the session becomes active. */
  activate(): void {
    this.#parts.life.activate();
  }

  /** Tells observers that the gateway drains. */
  drain(): void {
    this.contain(() => this.#parts.life.drain());
  }

  /** Checks the signs of life; called by the clock. */
  tick(now: number): void {
    if (!this.ended) this.#parts.life.tick(now);
  }

  /** Takes a frame of the bus for this device. */
  deliver(out: Outbound, trace: Trace): void {
    this.contain(() => this.#deliver(out, trace));
  }

  #deliver(out: Outbound, trace: Trace): void {
    if (!this.#isOpen || this.ended) return this.#drop("no-session");
    if (out.session !== undefined && out.session !== this.id) return this.#parts.refuseSession(out.session, this.since);
    this.#parts.delivery.take(out, trace);
  }

  #drop(reason: DropReason): void {
    this.#deps.observe.counters.drops[reason] += 1;
  }

  /** Publishes frames that waited for NATS. */
  resume(): void {
    if (!this.ended) this.contain(() => this.#parts.inbox.resume());
  }

  /** Does what is due every second: forgets old frames, and ends a silent conversation. `wall` in ms since the epoch. */
  sweep(wall: number): void {
    this.uplink.prune(wall);
    this.resume();
    if (!this.#isOpen || this.ended) return;
    this.contain(() => {
      this.#parts.inbox.check();
      this.#parts.channel.check();
      const { farewell, shown } = this.#parts.used;
      farewell?.check();
      shown?.check();
    });
  }

  /** Closes the connection. Nothing happens if the session has ended. */
  close(reason: CloseName): void {
    this.contain(() => this.#parts.outbox.close(reason));
  }

  /** Completes the end: reports open turns, and publishes that the session is closed. */
  end({ reason, code }: SessionEnd): void {
    count(this.#deps.observe.counters.closes, reason);
    if (reason !== "gone") this.#parts.heartbeat.happen("close");
    this.#parts.clock.close();
    const { playout, shown, receipts, turns } = this.#parts.used;
    this.contain(() => playout?.close());
    this.contain(() => shown?.close());
    this.contain(() => receipts?.close());
    this.contain(() => turns?.close());
    if (!this.#isOpen) return;
    this.contain(() => this.uplink.send({ kind: "control", body: { type: "closed", code, reason } }));
  }

  /** Releases everything that the session keeps. */
  release(): void {
    this.uplink.close();
  }
}
