import type { Bus } from "@voxbus/bus";
import {
  closeCodes,
  decodeFrame,
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
import type { Clock, Ticker } from "./clock.ts";
import { count, type Counters } from "./counters.ts";
import type { Visitor } from "./door.ts";
import type { ReplyFrame } from "./reply.ts";
import { Speech } from "./speech.ts";
import type { SpeechEffects } from "./speech-effects.ts";
import { Uplink } from "./uplink.ts";

/** The most bytes of one audio frame of a device. */
export const maxAudioBytes = 8192;
/** While more than this waits in a socket, ms of play-out wait too. */
const holdBytes = 8192;
/** A socket in which more than this waits is closed as slow. */
const slowBytes = 1_048_576;
/** TCP is dropped so long after a Close: stock devices do neither answer it nor drop TCP themselves, ms. */
const lingerMs = 2000;
const downlink = { format: "opus", sample_rate: 24_000, channels: 1, frame_duration: 60 } as const;

/** What a session needs of its gateway. */
export interface SessionContext {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly gateway: string;
  readonly profile: (device: string) => Profile;
  readonly apology: (language: string) => readonly Uint8Array[] | undefined;
  /** The hello was answered. */
  readonly opened: (session: Session) => void;
  /** The socket is gone, or is being closed: called once. */
  readonly closed: (session: Session, reason: string, code: number) => void;
  readonly turnEnded: (session: Session, turn: TurnPlayed) => void;
}

/** A token bucket: `rate` a second, `burst` at once. */
class Budget {
  readonly #rate: number;
  readonly #burst: number;
  #left: number;
  #at = 0;
  constructor(rate: number, burst: number) {
    this.#rate = rate;
    this.#burst = burst;
    this.#left = burst;
  }
  take(now: number): boolean {
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#at) / 1000) * this.#rate);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}

type Handlers = {
  readonly [T in DeviceMessage["type"]]: (session: Session, message: Extract<DeviceMessage, { type: T }>) => void;
};

/** One WebSocket connection of one device: frames in, frames out, nothing of speech. */
export class Session implements SpeechEffects {
  readonly id: string;
  readonly device: string;
  readonly client: string;
  readonly remote: string;
  readonly since = Date.now();
  readonly speech: Speech;
  readonly uplink: Uplink;
  framing: FramingVersion;
  features: Readonly<Record<string, unknown>> = {};
  open = false;
  /** Monotonic time of the last inbound byte, ms. */
  heardAt: number;
  pingedAt = 0;
  readonly #context: SessionContext;
  readonly #socket: WebSocket;
  readonly #framingIsSaid: boolean;
  readonly #audioBudget = new Budget(100, 200);
  readonly #messageBudget = new Budget(20, 60);
  #rawUplink: boolean | undefined;
  #listening = false;
  #sentAudio = false;
  #ended = false;

  constructor(context: SessionContext, visitor: Visitor, id: string) {
    this.#context = context;
    this.#socket = visitor.socket;
    this.id = id;
    this.device = visitor.device;
    this.client = visitor.client;
    this.remote = visitor.remote;
    this.framing = visitor.framing ?? 1;
    this.#framingIsSaid = visitor.framing !== undefined;
    this.heardAt = context.clock.now();
    this.uplink = new Uplink(context.bus, this.device, id, {
      drop: (reason) => this.drop(reason),
      overflow: () => this.close("overloaded"),
    });
    this.speech = new Speech(this, () => context.profile(this.device));
    const socket = visitor.socket;
    socket.on("message", (data, isBinary) => {
      this.heardAt = context.clock.now();
      if (isBinary) this.#receiveAudio(data as Buffer);
      else this.#receiveText((data as Buffer).toString("utf8"));
    });
    socket.on("pong", () => (this.heardAt = context.clock.now()));
    socket.on("ping", () => (this.heardAt = context.clock.now()));
    socket.on("error", (error: Error & { code?: string }) => {
      if (error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") this.close("frame_too_big");
      else if (error.code?.startsWith("WS_ERR")) this.close("invalid_frame");
    });
    socket.on("close", (code) => this.#end("gone", code));
  }

  /** True once a close was begun or the socket is gone. */
  get ended(): boolean {
    return this.#ended;
  }

  #receiveAudio(data: Buffer): void {
    if (!this.open) return this.drop("before-hello");
    const { counters, clock } = this.#context;
    counters.received.audio += 1;
    let packet: Uint8Array = data;
    if (this.framing !== 1 && !this.#rawUplink) {
      try {
        ({ packet } = decodeFrame(this.framing, data));
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        // Only the first frame may show that a client announces a framing that it does not use (docs/protocol.md).
        if (this.#rawUplink === false || data.byteLength === 0) return this.drop("bad-frame");
        this.#rawUplink = true;
      }
      this.#rawUplink ??= false;
    }
    if (packet.byteLength === 0) return this.drop("empty");
    if (packet.byteLength > maxAudioBytes) return this.drop("oversize");
    if (!this.#audioBudget.take(clock.now())) return this.drop("rate");
    this.#sentAudio = true;
    this.uplink.send({ kind: "audio", body: packet });
  }

  #receiveText(text: string): void {
    const { counters, clock } = this.#context;
    if (!this.#messageBudget.take(clock.now())) {
      this.drop("rate");
      return this.close("flood");
    }
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
  publish(body: InControl, published?: (seq: number) => void): void {
    this.uplink.send({ kind: "control", body }, published);
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
  }

  /** Listen in its three states (docs/protocol.md, listen). */
  listen(message: Extract<DeviceMessage, { type: "listen" }>): void {
    if (message.state === "start") {
      this.#listening = true;
      this.publish({ type: "listen", mode: message.mode, gateway: this.#context.gateway });
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
    this.uplink.send({ kind: "text", body: text }, (seq) => this.speech.typed(seq, text));
  }

  /** The user wants silence, at once, whether NATS answers or not. */
  abort(reason: string | undefined): void {
    this.#listening = false;
    const body = { type: "abort" as const, ...(reason === undefined ? {} : { reason }) };
    let silenced = false;
    this.publish(body, (seq) => {
      if (silenced) this.speech.fenceAt(seq);
      else this.speech.aborted(seq);
      silenced = true;
    });
    if (!silenced) this.speech.aborted(this.uplink.seq);
    silenced = true;
  }

  /** A frame of the bus for this device. */
  deliver(out: Outbound): void {
    if (!this.open || this.#ended) return this.drop("no-session");
    if (out.session !== undefined && out.session !== this.id) return this.drop("other-session");
    if (isReplyFrame(out)) return this.speech.frame(out);
    if (out.kind === "audio") return this.speech.live(out);
    if (out.kind === "control") {
      if (out.body.type === "fence") this.speech.bargeIn(out.body.seq);
      else if (out.body.type === "hearing") this.speech.hearing(out.body.on, out.body.origin);
      return;
    }
    if (out.body.type === "stt" && out.origin !== undefined)
      this.speech.stt({ ...out, origin: out.origin, body: out.body });
    else if (out.body.type === "stt" || out.body.type === "llm" || out.body.type === "tts") this.speech.live(out);
    else this.writeText(out.body);
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
    this.#socket.send(text);
    if (this.#socket.bufferedAmount > slowBytes) this.close("slow");
  }

  writeAudio(packet: Uint8Array): void {
    this.#context.counters.sent.audio += 1;
    this.#socket.send(this.framing === 1 ? packet : encodeFrame(this.framing, packet, Math.round(this.now())));
  }

  writable(): boolean {
    return this.#socket.bufferedAmount < holdBytes;
  }

  turnEnded(turn: TurnPlayed): void {
    if (turn.complete) this.#context.counters.turnsComplete += 1;
    else this.#context.counters.turnsFailed += 1;
    this.#context.turnEnded(this, turn);
  }

  drop(reason: DropReason): void {
    this.#context.counters.drops[reason] += 1;
  }

  apology(): readonly Uint8Array[] | undefined {
    return this.#context.apology(this.#context.profile(this.device).language);
  }

  /** Sends a WebSocket ping. */
  ping(): void {
    this.pingedAt = this.now();
    this.#socket.ping();
  }

  /** Closes with a code of the table; TCP is dropped 2 s later if the device has not done so. */
  close(name: CloseName): void {
    if (this.#ended) return;
    const { code, reason } = closeCodes[name];
    count(this.#context.counters.closes, name);
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
