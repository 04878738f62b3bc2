import { BusAwayError, tracingIsOn } from "@voxbus/bus";
import {
  closeCodes,
  encodeFrame,
  maxDeviceTextBytes,
  parseDeviceMessage,
  ProtocolError,
  type CloseName,
  type DeviceMessage,
  type DropReason,
  type FramingVersion,
  type InControl,
  type Outbound,
  type OutText,
  type Profile,
  type ServerMessage,
  type TurnPlayed,
} from "@voxbus/protocol";
import type { WebSocket } from "ws";
import type { Ticker } from "../playout/clock.ts";
import { count, countLateness } from "../observe/counters.ts";
import type { Visitor } from "../http/server.ts";
import { Farewell, farewellMs } from "../playout/farewell.ts";
import { Heartbeat, type HeartbeatEffects } from "./heartbeat.ts";
import { Flow } from "./back-pressure-probe.ts";
import type { LifeState } from "./state.ts";
import { Budget, Flood, type Held } from "../limits.ts";
import type { ReplyFrame } from "../playout/buffer.ts";
import type { SessionContext } from "./session-context.ts";
import { Speech } from "../playout/playout.ts";
import type { SpeechEffects } from "../playout/playout-effects.ts";
import { TurnTimes } from "../observe/turn-times.ts";
import { traceTurns, type TraceHeaders, type TurnTraces } from "../observe/turn-traces.ts";
import { Unframer } from "../uplink/frame-decoder.ts";
import { Uplink, type UplinkEffects } from "../uplink/uplink.ts";

/** While more than this waits in a socket, ms of play-out wait too. */
const holdBytes = 8192;
/** A socket in which more than this waits is closed as slow. */
const slowBytes = 1_048_576;
/** TCP is dropped so long after a Close: stock devices do neither answer it nor drop TCP themselves, ms. */
const lingerMs = 2000;
const downlink = { format: "opus", sample_rate: 24_000, channels: 1, frame_duration: 60 } as const;

type Handlers = {
  readonly [T in DeviceMessage["type"]]: (session: Session, message: Extract<DeviceMessage, { type: T }>) => void;
};

/** One WebSocket connection of one device: frames in, frames out, nothing of speech. */
export class Session implements SpeechEffects, HeartbeatEffects, UplinkEffects {
  readonly id: string;
  readonly device: string;
  readonly client: string;
  readonly remote: string;
  readonly since = Date.now();
  readonly speech: Speech;
  readonly uplink: Uplink;
  readonly life: Heartbeat;
  readonly held: Held;
  framing: FramingVersion;
  features: Readonly<Record<string, unknown>> = {};
  open = false;
  /** Monotonic time of the last voice, text, or sound, ms. */
  #voiceAt: number;
  readonly #farewell: Farewell;
  readonly #context: SessionContext<Session>;
  readonly #socket: WebSocket;
  readonly #framingIsSaid: boolean;
  readonly #traces: TurnTraces | undefined;
  readonly #times: TurnTimes;
  readonly #frameBudget: Budget;
  readonly #byteBudget: Budget;
  readonly #messageBudget: Budget;
  #flood: Flood | undefined;
  #flow: Flow | undefined;
  readonly #unframer = new Unframer();
  #listening = false;
  #sentAudio = false;
  #ended = false;

  constructor(context: SessionContext<Session>, visitor: Visitor, id: string) {
    this.#context = context;
    this.#socket = visitor.socket;
    this.id = id;
    this.device = visitor.device;
    this.client = visitor.client;
    this.remote = visitor.remote;
    this.framing = visitor.framing ?? 1;
    this.#framingIsSaid = visitor.framing !== undefined;
    this.held = context.held;
    this.#farewell = new Farewell(id);
    this.#traces = tracingIsOn() ? traceTurns({ id, device: this.device, gateway: context.gateway }) : undefined;
    this.#times = new TurnTimes(context.turnMeter);
    this.#voiceAt = context.clock.now();
    const { audioFrames, audioBytes, messages } = context.limits;
    // After a network stall up to 2.4 s of audio arrive at once (docs/protocol.md, audio).
    this.#frameBudget = new Budget(audioFrames, audioFrames * 2);
    this.#byteBudget = new Budget(audioBytes, audioBytes * 3);
    this.#messageBudget = new Budget(messages, messages * 3);
    this.life = new Heartbeat(context.clock, context.times, this);
    this.uplink = new Uplink(context.bus, this.device, id, context.held, this);
    this.speech = new Speech(this, () => context.profile(this.device));
    const socket = visitor.socket;
    socket.on("message", (data, isBinary) => {
      this.life.frame();
      if (isBinary) this.#receiveAudio(data as Buffer);
      else this.#receiveText((data as Buffer).toString("utf8"));
    });
    socket.on("pong", () => {
      this.life.pong();
      this.#flow?.pong();
    });
    socket.on("ping", () => this.life.sign());
    socket.on("error", (error: Error & { code?: string }) => {
      // Longer than the limit, or than a number can tell.
      if (/^WS_ERR_UNSUPPORTED_(MESSAGE|DATA_PAYLOAD)_LENGTH$/.test(error.code ?? "")) this.close("frame_too_big");
      else if (error.code === "WS_ERR_INVALID_UTF8") this.close("invalid_text");
      else if (error.code?.startsWith("WS_ERR")) this.close("invalid_frame");
    });
    socket.on("close", (code) => {
      this.life.happen("gone");
      this.#end("gone", code);
      this.life.happen("cleaned");
    });
  }

  /** True once a close was begun or the socket is gone. */
  get ended(): boolean {
    return this.#ended;
  }

  #receiveAudio(data: Buffer): void {
    if (!this.open) return this.drop("before-hello");
    const { counters, clock } = this.#context;
    counters.received.audio += 1;
    counters.receivedBytes.audio += data.byteLength;
    const packet = this.#unframer.unwrap(this.framing, data);
    if (typeof packet === "string") return this.drop(packet);
    const now = clock.now();
    if (!this.#frameBudget.take(now) || !this.#byteBudget.take(now, packet.byteLength)) {
      this.drop("rate");
      if ((this.#flood ??= new Flood()).over(now) >= this.#context.limits.floodMs) this.close("flood");
      return;
    }
    this.#sentAudio = true;
    this.uplink.send({ kind: "audio", body: packet });
  }

  #receiveText(text: string): void {
    const { counters, clock } = this.#context;
    if (!this.#messageBudget.take(clock.now())) {
      this.drop("rate");
      return this.close("flood");
    }
    counters.receivedBytes.text += text.length;
    let message: DeviceMessage | undefined;
    try {
      message = parseDeviceMessage(text);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return this.drop("malformed");
    }
    if (!message) return this.drop("unknown-type");
    if (message.type === "hello" ? this.open : !this.open)
      return this.drop(this.open ? "second-hello" : "before-hello");
    counters.received.control += 1;
    (handlers[message.type] as (session: Session, message: DeviceMessage) => void)(this, message);
  }

  /** Publishes an inbound control frame. */
  publish(body: InControl, published?: (seq: number) => void, trace?: TraceHeaders): void {
    this.uplink.send({ kind: "control", body }, published, trace);
  }

  /** Answers the hello from memory; everything slower follows. */
  welcome(hello: Extract<DeviceMessage, { type: "hello" }>): void {
    if (!this.#framingIsSaid && (hello.version === 2 || hello.version === 3)) this.framing = hello.version;
    this.features = hello.features;
    this.open = true;
    this.writeText({ type: "hello", transport: "websocket", session_id: this.id, audio_params: downlink });
    const audio = hello.audio_params ?? hello.audioParams;
    this.publish({
      type: "opened",
      gateway: this.#context.gateway,
      protocol: this.framing,
      features: this.features,
      sampleRate: Math.round(audio?.sampleRate ?? 16_000),
      frameDuration: audio?.frameDuration ?? 60,
    });
    this.#context.opened(this);
    this.life.happen("welcomed");
  }

  /** Listen in its three states (docs/protocol.md, listen). */
  listen(message: Extract<DeviceMessage, { type: "listen" }>): void {
    if (message.state === "start") {
      this.#listening = true;
      this.#voiceAt = this.now();
      const body = { type: "listen" as const, mode: message.mode, gateway: this.#context.gateway };
      this.publish(body, undefined, this.#traces?.listening(message.mode));
    } else if (message.state === "stop") {
      const listened = this.#listening;
      this.#listening = false;
      this.publish({ type: "stop" }, (seq) => listened && this.speech.stopped(seq));
    } else this.#detect(message.text.trim());
  }

  #detect(text: string): void {
    const isWake = text === "" || this.#sentAudio || this.#context.profile(this.device).wakeWords.includes(text);
    if (isWake) return this.publish({ type: "wake", text });
    this.#context.counters.received.text += 1;
    const trace = this.#traces?.typed();
    const begin = (seq: number) => {
      this.#traces?.caused(seq);
      this.#times.typed(seq);
      this.speech.typed(seq, text);
    };
    this.uplink.send({ kind: "text", body: text }, begin, trace);
  }

  /** The user wants silence, at once, whether NATS answers or not. */
  abort(reason: string | undefined): void {
    this.#listening = false;
    this.#traces?.event("abort");
    const body = { type: "abort" as const, ...(reason === undefined ? {} : { reason }) };
    const { speaking } = this.speech;
    const since = Date.now();
    let silenced = false;
    this.publish(body, (seq) => {
      if (silenced) this.speech.fenceAt(seq);
      else this.speech.aborted(seq);
      silenced = true;
    });
    if (!silenced) this.speech.aborted(this.uplink.seq);
    silenced = true;
    if (speaking) this.#times.silenced(since, "abort");
  }

  /** A frame of the bus for this device. */
  deliver(out: Outbound, trace: TraceHeaders): void {
    if (!this.open || this.#ended) return this.drop("no-session");
    if (out.session !== undefined && out.session !== this.id) return this.drop("other-session");
    if (isReplyFrame(out)) {
      if (out.sentence === 0 && out.n === 0) this.#traces?.replying(out.reply, trace);
      if (out.kind === "audio") this.#times.arrived(out.origin);
      return this.speech.frame(out);
    }
    if (out.kind === "audio") return this.speech.live(out);
    if (out.kind === "control") {
      if (out.body.type === "barge-in") {
        this.#bargeIn(out.body.seq);
      } else if (out.body.type === "user-speaking") {
        this.#voiceAt = this.now();
        this.speech.hearing(out.body.on, out.body.origin);
      }
      return;
    }
    if (out.body.type === "stt" && out.origin !== undefined) {
      this.#traces?.caused(out.origin);
      this.#traces?.event("end of speech");
      this.#times.heard(out.origin, this.uplink.publishedAt(out.origin));
      this.speech.stt({ ...out, origin: out.origin, body: out.body });
    } else if (out.body.type === "stt" || out.body.type === "llm" || out.body.type === "tts") this.speech.live(out);
    else this.writeText(out.body);
  }

  #bargeIn(seq: number): void {
    const { speaking } = this.speech;
    const since = speaking ? this.uplink.publishedAt(seq) : undefined;
    this.speech.bargeIn(seq);
    if (!speaking || this.speech.speaking) return;
    this.#traces?.event("barge-in");
    if (since !== undefined) this.#times.silenced(since, "voice");
  }

  seq(): number {
    return this.uplink.seq;
  }

  now(): number {
    return this.#context.clock.now();
  }

  wake(ticker: Ticker, at: number): void {
    this.#context.clock.wake(ticker, at);
  }

  writeText(message: OutText | ServerMessage): void {
    const text = JSON.stringify(message.type === "hello" ? message : { ...message, session_id: this.id });
    if (Buffer.byteLength(text) > maxDeviceTextBytes) return this.drop("oversize");
    this.#context.counters.sent.text += 1;
    this.#context.counters.sentBytes.text += text.length;
    this.#socket.send(text);
    if (this.#socket.bufferedAmount > slowBytes) this.close("slow");
  }

  writeAudio(packet: Uint8Array, late = 0): void {
    const { counters } = this.#context;
    counters.sent.audio += 1;
    counters.sentBytes.audio += packet.byteLength;
    countLateness(counters, late);
    this.#socket.send(this.framing === 1 ? packet : encodeFrame(this.framing, packet, Math.round(this.now())));
  }

  writable(): boolean {
    const { clock, limits } = this.#context;
    this.#flow ??= new Flow(clock, limits.slowMs, this.life.rtt !== undefined, {
      ping: () => this.#socket.ping(),
      slow: () => this.close("slow"),
    });
    return this.#flow.may(clock.now()) && this.#socket.bufferedAmount < holdBytes;
  }

  turnEnded(turn: TurnPlayed): void {
    this.#voiceAt = this.now();
    if (turn.complete) this.#context.counters.turnsComplete += 1;
    else this.#context.counters.turnsFailed += 1;
    this.#traces?.ended(turn);
    this.#times.ended(turn);
    this.#context.turnEnded(this, turn);
    if (this.#farewell.said && turn.reply === this.#farewell.reply) this.close("done");
  }

  /** Ends a conversation in which nobody speaks any longer (profile `silenceMs`, `farewell`). */
  endSilence(): void {
    const profile = this.#context.profile(this.device);
    const due = this.#listening && !this.speech.busy && profile.silenceMs > 0;
    const silent = this.now() - this.#voiceAt;
    if (this.#farewell.said ? silent > farewellMs : due && silent >= profile.silenceMs) this.#sayFarewell(profile);
  }

  #sayFarewell(profile: Profile): void {
    if (this.#farewell.said) return this.close("done");
    this.#voiceAt = this.now();
    this.#farewell.say(this.#context.bus, this.device, profile).catch((error: unknown) => {
      if (!(error instanceof BusAwayError)) throw error;
      this.close("done");
    });
  }

  ping(): void {
    this.#socket.ping();
  }

  changed(state: LifeState): void {
    if (this.open) this.#context.changed(this, state);
  }

  overflow(): void {
    this.close("overloaded");
  }

  drop(reason: DropReason): void {
    this.#context.counters.drops[reason] += 1;
  }

  apology(): readonly Uint8Array[] | undefined {
    return this.#context.apology(this.#context.profile(this.device).language);
  }

  /** Closes with a code of the table; TCP is dropped 2 s later if the device has not done so. */
  close(name: CloseName): void {
    if (this.#ended) return;
    const { code, reason } = closeCodes[name];
    count(this.#context.counters.closes, name);
    this.life.happen("close");
    if (this.open) this.speech.hush();
    this.#socket.close(code, reason);
    setTimeout(() => this.#socket.terminate(), lingerMs).unref();
    this.#end(reason, code);
  }

  #end(reason: string, code: number): void {
    if (this.#ended) return;
    this.#ended = true;
    if (reason === "gone") count(this.#context.counters.closes, "gone");
    this.speech.close("closed");
    this.#traces?.close();
    if (this.open) this.publish({ type: "closed", code, reason });
    this.#context.closed(this, reason, code);
    this.uplink.close();
  }
}

function isReplyFrame(out: Outbound): out is ReplyFrame {
  return out.reply !== undefined && out.attempt !== undefined && out.sentence !== undefined && out.n !== undefined;
}

const handlers: Handlers = {
  hello: (session, message) => session.welcome(message),
  listen: (session, message) => session.listen(message),
  abort: (session, message) => session.abort(message.reason),
  mcp: (session, message) => session.publish({ type: "mcp", payload: message.payload }),
  iot: (session, { descriptors, states }) =>
    session.publish({ type: "iot", ...(descriptors ? { descriptors } : {}), ...(states ? { states } : {}) }),
  goodbye(session) {
    session.publish({ type: "goodbye" });
    session.close("done");
  },
  ping: (session) =>
    session.writeText({ type: "pong", timestamp: new Date().toISOString().slice(0, 19).replace("T", " ") }),
};
