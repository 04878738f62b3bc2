import type { Bus, Trace } from "@voxbus/bus";
import type { Registry } from "@voxbus/presence";
import type {
  CloseName,
  DeviceMessage,
  DropReason,
  Features,
  FramingVersion,
  Outbound,
  Profile,
} from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import type { WebSocket } from "ws";
import type { Limits } from "../limits.ts";
import type { MemoryBudget } from "../memory-budget.ts";
import { count, type Counters } from "../observe/counters.ts";
import { SessionEvents } from "../observe/session-events.ts";
import type { TurnMeter } from "../observe/turn-times.ts";
import { TurnObserver } from "../observe/turns.ts";
import { isReplyFrame } from "../playout/buffer.ts";
import type { Clock, Ticker } from "../playout/clock.ts";
import { Farewell } from "../playout/farewell.ts";
import { Playout } from "../playout/playout.ts";
import { Uplink } from "../uplink/uplink.ts";
import { Ending, type SessionEnd } from "./ending.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Inbox } from "./inbox.ts";
import { Outbox } from "./outbox.ts";
import { isShown, type LifeState } from "./state.ts";

const downlinkFormat = { format: "opus", sample_rate: 24_000, channels: 1, frame_duration: 60 } as const;

/** A device whose upgrade was accepted, and its socket. */
export interface Handshake {
  readonly socket: WebSocket;
  readonly device: string;
  /** The framing that the device announced, if it did. */
  readonly framing: FramingVersion | undefined;
  /** The device's address, as a proxy on this machine reports it if there is one. */
  readonly remote: string;
}

/** Dependencies that all sessions of a gateway share. */
export interface SessionDeps {
  readonly gateway: string;
  readonly bus: Bus;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly memory: MemoryBudget;
  readonly limits: Limits;
  readonly observe: { readonly counters: Counters; readonly turnMeter: TurnMeter; readonly log: Log };
  readonly settings: DeviceSettings;
}

/** Settings of devices. */
export interface DeviceSettings {
  profile(device: string): Profile;
  /** Gives the spoken apology in a language as Opus packets of 60 ms, or undefined if that language has no apology. */
  apology(language: string): readonly Uint8Array[] | undefined;
}

/** One WebSocket connection of one device: frames in, frames out, play-out, and the signs of life. */
export class Session implements Ticker {
  readonly id: string;
  readonly device: string;
  readonly remote: string;
  readonly since = Date.now();
  readonly events: SessionEvents;
  readonly uplink: Uplink;
  readonly playout: Playout;
  /** Resolves when the hello was answered. Not every session comes so far. */
  readonly opened: Promise<void>;
  features: Features = {};
  readonly #deps: SessionDeps;
  readonly #ending = new Ending();
  readonly #heartbeat: Heartbeat;
  readonly #turns: TurnObserver;
  readonly #outbox: Outbox;
  readonly #inbox: Inbox;
  readonly #farewell: Farewell;
  readonly #framingIsKnown: boolean;
  #isOpen = false;
  #resolveOpened!: () => void;

  constructor(deps: SessionDeps, { socket, device, framing, remote }: Handshake, id: string) {
    const { gateway, bus, clock, memory, limits, observe, settings } = deps;
    const { counters, log } = observe;
    const { drops } = counters;
    this.#deps = deps;
    this.id = id;
    this.device = device;
    this.remote = remote;
    this.#framingIsKnown = framing !== undefined;
    this.opened = new Promise((resolve) => (this.#resolveOpened = resolve));
    const profile = () => settings.profile(device);
    const ending = this.#ending;
    const heartbeat = (this.#heartbeat = new Heartbeat(limits, clock.now()));
    const events = (this.events = new SessionEvents({ bus, drops }, device, { gateway, session: id }));
    const turns = (this.#turns = new TurnObserver(observe, events, { id, device, gateway }));
    const uplink = (this.uplink = new Uplink({ bus, memory, drops }, device, id));
    const outboxDeps = { clock, counters, limits, heartbeat, ending };
    const outbox = (this.#outbox = new Outbox(outboxDeps, socket, id, framing ?? 1));
    const { apology } = settings;
    const playout = new Playout({ downlink: outbox, uplink, clock, memory, drops, turns, profile, apology });
    this.playout = playout;
    const farewell = new Farewell({ bus, log, clock, playout, downlink: outbox, profile }, device, id);
    this.#farewell = farewell;
    const parts = { uplink, playout, farewell, outbox };
    this.#inbox = new Inbox({ gateway, counters, limits, profile, turns, parts });
    this.#hear(socket);
    clock.wake(this, clock.now() + limits.helloMs);
  }

  #hear(socket: WebSocket): void {
    const { clock } = this.#deps;
    socket.on("message", (data, isBinary) => this.#receive(data as Buffer, isBinary));
    socket.on("pong", () => {
      this.#tell(this.#heartbeat.pong(clock.now()));
      this.events.rtt = this.#heartbeat.rtt;
      this.#outbox.pong();
    });
    socket.on("ping", () => this.#tell(this.#heartbeat.sign(clock.now())));
    socket.on("error", (error: Error & { readonly code?: string }) => this.#fail(error));
    socket.on("close", (code) => {
      this.#heartbeat.happen("gone");
      this.#ending.request({ reason: "gone", code });
      void this.ending.then(() => this.#heartbeat.happen("cleaned"));
    });
  }

  #receive(data: Buffer, isBinary: boolean): void {
    const now = this.#deps.clock.now();
    this.#tell(this.#heartbeat.frame(now));
    if (!isBinary) {
      const hello = this.#inbox.text(data.toString("utf8"), this.#isOpen, now);
      if (hello && !this.ended) this.#open(hello);
    } else if (this.#isOpen) this.#inbox.audio(data, now);
    else this.#drop("before-hello");
  }

  /** Answers the hello from memory. Everything slower follows. */
  #open(hello: Extract<DeviceMessage, { type: "hello" }>): void {
    const outbox = this.#outbox;
    if (!this.#framingIsKnown && (hello.version === 2 || hello.version === 3)) outbox.framing = hello.version;
    this.features = hello.features;
    this.#isOpen = true;
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
    this.#resolveOpened();
  }

  #fail(error: Error & { readonly code?: string }): void {
    const { device, id: session } = this;
    const { log } = this.#deps.observe;
    const { code = "" } = error;
    if (!code.startsWith("WS_ERR")) return log.debug({ err: error, device, session }, "socket failed");
    log.warn({ err: error, device, session }, "frame invalid, closing");
    // Longer than the limit, or longer than a number can tell.
    if (/^WS_ERR_UNSUPPORTED_(MESSAGE|DATA_PAYLOAD)_LENGTH$/.test(code)) this.close("frame_too_big");
    else this.close(code === "WS_ERR_INVALID_UTF8" ? "invalid_text" : "invalid_frame");
  }

  /** True once the hello was answered. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** True once an end was requested, or the socket is gone. */
  get ended(): boolean {
    return this.#ending.isRequested;
  }

  /** Resolves when the session is to end: then call `end`. */
  get ending(): Promise<SessionEnd> {
    return this.#ending.requested;
  }

  /** The time of the device's last sign of life, ms since the epoch. */
  get lastSeen(): number {
    return Date.now() - Math.max(0, Math.round(this.#deps.clock.now() - this.#heartbeat.seenAt));
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
    this.tick(this.#deps.clock.now());
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
    if (next !== undefined) this.#deps.clock.wake(this, next);
  }

  /** Takes a frame of the bus for this device. */
  deliver(out: Outbound, trace: Trace): void {
    if (!this.#isOpen || this.ended) return this.#drop("no-session");
    if (out.session !== undefined && out.session !== this.id) return this.#drop("other-session");
    if (isReplyFrame(out)) {
      if (out.sentence === 0 && out.n === 0) this.#turns.replying(out.reply, trace);
      if (out.kind === "audio") this.#turns.audioArrived(out.origin);
      return this.playout.frame(out);
    }
    if (out.kind === "audio") return this.playout.live(out);
    if (out.kind === "control") {
      if (out.body.type === "barge-in") this.#bargeIn(out.body.seq);
      else if (out.body.type === "user-speaking") {
        this.#farewell.userActed();
        this.playout.userSpeaking(out.body.on, out.body.origin);
      }
      return;
    }
    const { origin, body } = out;
    if (body.type === "stt" && origin !== undefined) {
      this.#turns.heard(origin, this.uplink.publishedAt(origin));
      this.playout.transcript(origin, body.text);
    } else if (body.type === "stt" || body.type === "llm" || body.type === "tts") this.playout.live(out);
    else this.#outbox.writeText(body);
  }

  #bargeIn(seq: number): void {
    const { playout } = this;
    const spoke = playout.speaking;
    const since = spoke ? this.uplink.publishedAt(seq) : undefined;
    playout.bargeIn(seq);
    if (!spoke || playout.speaking) return;
    this.#turns.event("barge-in");
    if (since !== undefined) this.#turns.silenced(since, "voice");
  }

  #drop(reason: DropReason): void {
    this.#deps.observe.counters.drops[reason] += 1;
  }

  /** Publishes frames that waited for NATS. */
  resume(): void {
    this.#inbox.resume();
  }

  /** Does what is due every second: forgets old frames, and ends a silent conversation. `wall` in ms since the epoch. */
  sweep(wall: number): void {
    this.uplink.prune(wall);
    this.resume();
    if (this.#isOpen && !this.ended) this.#farewell.check();
  }

  /** Closes the socket. Nothing happens if the session has ended. */
  close(reason: CloseName): void {
    this.#outbox.close(reason);
  }

  /** Completes the end: reports open turns, and publishes that the session is closed. */
  end({ reason, code }: SessionEnd): void {
    count(this.#deps.observe.counters.closes, reason);
    if (reason !== "gone") this.#heartbeat.happen("close");
    this.playout.close();
    this.#turns.close();
    if (this.#isOpen) this.uplink.send({ kind: "control", body: { type: "closed", code, reason } });
  }

  /** Releases the frames that the session keeps. */
  release(): void {
    this.uplink.close();
  }
}
