import type { Duplex } from "node:stream";
import { encodeFrame, type CloseName, type DeviceHello, type DropReason, type FramingVersion } from "@voxbus/protocol";
import { fixedLimits } from "../limits.ts";
import type { Ticker } from "../playout/clock.ts";
import type { ChannelOffer, Transport, TransportSession } from "../session/transport.ts";
import { BackPressureProbe } from "./back-pressure-probe.ts";
import { FrameDecoder } from "./frame-decoder.ts";
import type { DeviceSocket, SocketOwner } from "./device-socket.ts";
import { listenOnStream, nameSocketError, type StreamOwner } from "./listen-on.ts";
import { sendWhole } from "./send-whole.ts";

/** One WebSocket: text and audio share it, and it ends with the conversation. */
export class WebSocketTransport implements Transport, SocketOwner, StreamOwner, Ticker {
  framing: FramingVersion;
  readonly #socket: DeviceSocket;
  readonly #stream: Duplex;
  readonly #framingIsKnown: boolean;
  #decoder: FrameDecoder | undefined;
  #session!: TransportSession;
  #probe: BackPressureProbe | undefined;
  #isWatching = false;

  /** `stream` is the TCP connection below the WebSocket, `framing` the one that the device announced, if it did. */
  constructor(socket: DeviceSocket, stream: Duplex, framing?: FramingVersion) {
    this.#socket = socket;
    this.#stream = stream;
    this.#framingIsKnown = framing !== undefined;
    this.framing = framing ?? 1;
  }

  get longestPacket(): number {
    return Infinity;
  }

  start(session: TransportSession): void {
    this.#session = session;
    // ws reports whole messages. Their parts are seen only here, before ws sees them.
    listenOnStream(this.#stream, this);
    this.#socket.owner = this;
  }

  openAudio({ version }: DeviceHello): ChannelOffer {
    if (!this.#framingIsKnown && (version === 2 || version === 3)) this.framing = version;
    return { transport: "websocket" };
  }

  closeAudio(): void {}

  get reachesIdle(): boolean {
    return false;
  }

  get keepaliveMs(): undefined {
    return undefined;
  }

  get localAddress(): string {
    return "";
  }

  get hasAudio(): boolean {
    return true;
  }

  /** Its sound takes the way that its hello took. */
  get missingAudioAt(): undefined {
    return undefined;
  }

  read(bytes: number): void {
    this.#session.read(bytes);
  }

  received(data: Buffer, isBinary: boolean): void {
    if (isBinary) this.#session.audio(data);
    else this.#session.text(data);
  }

  ponged(): void {
    this.#session.ponged();
    this.#probe?.pong();
  }

  pinged(): void {
    this.#session.pinged();
    this.#checkSocket();
  }

  socketFailed(error: Error & { readonly code?: string }): void {
    const { code = "" } = error;
    this.#session.broke(error, code.startsWith("WS_ERR") ? nameSocketError(code) : undefined);
  }

  gone(code: number): void {
    this.#session.gone(code);
  }

  writeText(text: string): void {
    sendWhole(this.#socket, text);
    this.#checkSocket();
  }

  writeAudio(packet: Uint8Array, timestamp: number): void {
    sendWhole(this.#socket, encodeFrame(this.framing, packet, timestamp));
  }

  writable(): boolean {
    const { clock, limits, answersPings } = this.#session;
    const now = clock.now();
    this.#probe ??= new BackPressureProbe(limits.slowMs, answersPings);
    if (this.#probe.want(now)) {
      this.ping();
      if (!this.#isWatching) this.tick(now);
    }
    return this.#probe.mayWrite(now) && this.#socket.bufferedAmount < fixedLimits.playoutSocketBytes;
  }

  decode(data: Uint8Array): Uint8Array | DropReason {
    return (this.#decoder ??= new FrameDecoder()).decode(this.framing, data);
  }

  ping(): void {
    this.#socket.ping();
  }

  /** Closes a device that does not read what it is sent. */
  #checkSocket(): void {
    if (this.#socket.bufferedAmount > fixedLimits.slowSocketBytes) this.#session.close("slow");
  }

  /** Checks whether the device is slow; called by the clock. */
  tick(now: number): void {
    const next = this.#probe?.check(now);
    this.#isWatching = typeof next === "number";
    if (typeof next === "number") this.#session.clock.wake(this, next);
    else if (next === "slow") this.#session.close("slow");
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(code: number, name: CloseName): void {
    this.#socket.close(code, name);
    const linger = setTimeout(() => this.#socket.terminate(), fixedLimits.lingerMs).unref();
    this.#socket.once("close", () => clearTimeout(linger));
  }

  destroy(): void {
    this.#socket.terminate();
  }
}
