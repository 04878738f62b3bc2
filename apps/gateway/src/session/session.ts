import type { Trace } from "@voxbus/bus";
import type { CloseName, DeviceMessage, DropReason, Features, FramingVersion, Outbound } from "@voxbus/protocol";
import { count } from "../observe/counters.ts";
import type { SessionEvents } from "../observe/session-events.ts";
import type { Ticker } from "../playout/clock.ts";
import type { Uplink } from "../uplink/uplink.ts";
import type { SessionEnd } from "./ending.ts";
import type { Handshake } from "./handshake.ts";
import { listenOnSocket, nameSocketError, type SocketOwner } from "./listen-on.ts";
import { downlinkFormat } from "./outbox.ts";
import { Parts } from "./parts.ts";
import type { SessionDeps } from "./session-deps.ts";
import { isShown, type LifeState } from "./state.ts";

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
  features: Features = {};
  readonly #deps: SessionDeps;
  readonly #owner: SessionOwner;
  readonly #parts: Parts;
  readonly #framingIsKnown: boolean;
  #isOpen = false;

  constructor(deps: SessionDeps, handshake: Handshake, id: string, owner: SessionOwner) {
    const { socket, device, framing, remote } = handshake;
    this.#deps = deps;
    this.#owner = owner;
    this.id = id;
    this.since = deps.bus.now();
    this.device = device;
    this.remote = remote;
    this.#framingIsKnown = framing !== undefined;
    const { clock } = (this.#parts = new Parts(deps, this, handshake));
    listenOnSocket(socket, this);
    clock.wake(this, clock.now() + deps.limits.helloMs);
  }

  received(data: Buffer, isBinary: boolean): void {
    this.contain(() => (isBinary ? this.#receiveAudio(data) : this.#receiveText(data)));
  }

  ponged(): void {
    if (!this.#parts.gate.frame() || this.ended) return;
    this.contain(() => {
      this.#tell(this.#parts.heartbeat.pong(this.#parts.clock.now()));
      this.events.rtt = this.#parts.heartbeat.rtt;
      this.#parts.outbox.pong();
    });
  }

  pinged(): void {
    if (!this.#parts.gate.frame() || this.ended) return;
    this.contain(() => {
      this.#tell(this.#parts.heartbeat.sign(this.#parts.clock.now()));
      this.#parts.outbox.pinged();
    });
  }

  gone(code: number): void {
    this.#parts.heartbeat.happen("gone");
    this.#parts.ending.request({ reason: "gone", code });
  }

  #receiveText(data: Buffer): void {
    // Text that was read before the socket paused still counts: without a `stop`, a listen would never end.
    this.#parts.gate.text(data.byteLength);
    // ws delivers what comes after our Close frame too.
    if (this.ended) return this.#drop("after-end");
    this.#tell(this.#parts.heartbeat.frame(this.#parts.clock.now()));
    const hello = this.#parts.inbox.text(data.toString("utf8"), this.#isOpen);
    if (hello && !this.ended) this.#open(hello);
  }

  #receiveAudio(data: Buffer): void {
    const admitted = this.#parts.gate.frame();
    if (this.ended) return this.#drop("after-end");
    if (!admitted) return this.#drop("rate");
    this.#tell(this.#parts.heartbeat.frame(this.#parts.clock.now()));
    if (this.#isOpen) this.#parts.inbox.audio(data);
    else this.#drop("before-hello");
  }

  /** Answers the hello from memory. Everything slower follows. */
  #open(hello: Extract<DeviceMessage, { type: "hello" }>): void {
    const outbox = this.#parts.outbox;
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
      this.#parts.outbox.close("error");
    } catch (err) {
      log.error({ err, device, session }, "session failed to close, TCP dropped");
      this.#parts.outbox.terminate();
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

  /** True once the hello was answered. */
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
    return this.#parts.outbox.framing;
  }

  get state(): LifeState {
    return this.#parts.heartbeat.state;
  }

  /** The hello was answered, and frames for the device arrive from the bus: the session becomes active. */
  activate(): void {
    this.#tell(this.#parts.heartbeat.happen("welcomed"));
    this.tick(this.#parts.clock.now());
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
    for (const beat of this.#parts.heartbeat.check(now)) {
      if (beat.do === "ping") this.#parts.outbox.ping();
      else if (beat.do === "tell") this.#tell(beat.state);
      else return this.close(beat.reason);
    }
    const next = this.#parts.heartbeat.nextCheck(now);
    if (next !== undefined) this.#parts.clock.wake(this, next);
  }

  /** Takes a frame of the bus for this device. */
  deliver(out: Outbound, trace: Trace): void {
    this.contain(() => this.#deliver(out, trace));
  }

  #deliver(out: Outbound, trace: Trace): void {
    if (!this.#isOpen || this.ended) return this.#drop("no-session");
    if (out.session !== undefined && out.session !== this.id) return this.#drop("other-session");
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
      this.#parts.used.farewell?.check();
    });
  }

  /** Closes the socket. Nothing happens if the session has ended. */
  close(reason: CloseName): void {
    this.contain(() => this.#parts.outbox.close(reason));
  }

  /** Completes the end: reports open turns, and publishes that the session is closed. */
  end({ reason, code }: SessionEnd): void {
    count(this.#deps.observe.counters.closes, reason);
    if (reason !== "gone") this.#parts.heartbeat.happen("close");
    this.#parts.clock.close();
    this.contain(() => this.#parts.used.playout?.close());
    this.contain(() => this.#parts.turns.close());
    if (!this.#isOpen) return;
    this.contain(() => this.uplink.send({ kind: "control", body: { type: "closed", code, reason } }));
  }

  /** Releases everything that the session keeps. */
  release(): void {
    this.uplink.close();
  }
}
