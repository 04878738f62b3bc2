import type { Socket } from "node:net";
import {
  encodeMqtt,
  maxDatagramBytes,
  datagramHeaderBytes,
  mqttRoles,
  MqttReader,
  mqttTopics,
  ProtocolError,
  type DeviceHello,
  type DropReason,
  type MqttPacket,
} from "@voxbus/protocol";
import { fixedLimits } from "../limits.ts";
import type { Counters } from "../observe/counters.ts";
import type { Ticker } from "../playout/clock.ts";
import type { ChannelOffer, Transport, TransportSession } from "../session/transport.ts";
import { handOver, type ConnectionOwner } from "./listen-on.ts";
import { encryption, UdpChannel } from "./udp-channel.ts";
import type { DatagramOwner, UdpSocket } from "./udp-socket.ts";

/** `listen` `stop` may overtake the last audio. It waits until this time after the newest packet, … */
const settleMs = 80;
/** … and no longer than this, ms. */
const longestSettleMs = 150;
const longestStopBytes = 256;
const pingAnswer = encodeMqtt({ type: "pingresp" });
const codes = { left: 1000, broken: 1006 } as const;

/** Dependencies that all transports share. */
export interface MqttTransportDeps {
  readonly udp: UdpSocket;
  /** The address that devices send audio to. `local` is the one at which the device reached this gateway. */
  readonly audioAddress: (local: string) => { readonly server: string; readonly port: number };
  readonly drops: Counters["drops"];
}

/**
 * One MQTT connection, which lasts while its device is on, and the UDP channel of a conversation. Nothing is subscribed to:
 * stock firmware takes every PUBLISH.
 */
export class MqttTransport implements Transport, ConnectionOwner, DatagramOwner, Ticker {
  readonly framing = 1;
  readonly reachesIdle = true;
  readonly keepaliveMs: number;
  readonly #deps: MqttTransportDeps;
  readonly #socket: Socket;
  readonly #audioFrom: string | undefined;
  readonly #reader = new MqttReader(mqttRoles.client, fixedLimits.mqttBytes);
  #session!: TransportSession;
  #channel: UdpChannel | undefined;
  #isPaused = false;
  #isClosed = false;
  #code: number = codes.broken;
  /** Bytes that were read, charged and put back. */
  #unread = 0;
  #stop: { readonly data: Buffer; readonly until: number } | undefined;
  #audioAt = -Infinity;
  /** When there was sound for a device that has sent no datagram yet. */
  #unreachableSince: number | undefined;

  /** `keepalive` in s as the device announced it. `audioFrom`: the address that its audio must come from, if any. */
  constructor(
    deps: MqttTransportDeps,
    socket: Socket,
    { keepalive, audioFrom }: { readonly keepalive: number; readonly audioFrom: string | undefined },
  ) {
    this.#deps = deps;
    this.#socket = socket;
    this.#audioFrom = audioFrom;
    this.keepaliveMs = (keepalive || fixedLimits.keepaliveS) * 1000;
  }

  start(session: TransportSession): void {
    this.#session = session;
    handOver(this.#socket, this);
    this.#socket.resume();
  }

  get localAddress(): string {
    return (this.#socket.localAddress ?? "").replace(/^::ffff:/, "");
  }

  get longestPacket(): number {
    return maxDatagramBytes - datagramHeaderBytes;
  }

  get hasAudio(): boolean {
    return this.#channel !== undefined;
  }

  get missingAudioAt(): string | undefined {
    if (!this.#channel || this.#channel.peer) return undefined;
    const { server, port } = this.#deps.audioAddress(this.localAddress);
    return `${server}:${port}`;
  }

  openAudio(_hello: DeviceHello): ChannelOffer {
    const { udp, audioAddress } = this.#deps;
    this.closeAudio();
    const channel = new UdpChannel(this.#audioFrom, this.#session.clock.now());
    this.#channel = channel;
    this.#unreachableSince = undefined;
    udp.open(channel, this);
    const { server, port } = audioAddress(this.localAddress);
    const nonce = Buffer.from(channel.nonce).toString("hex");
    return { transport: "udp", version: 3, udp: { server, port, encryption, key: channel.key.toString("hex"), nonce } };
  }

  closeAudio(): void {
    if (this.#channel) this.#deps.udp.close(this.#channel);
    this.#channel = undefined;
  }

  data(chunk: Buffer): void {
    const { byteLength } = chunk;
    this.#session.read(Math.max(0, byteLength - this.#unread));
    this.#unread = Math.max(0, this.#unread - byteLength);
    this.#reader.push(chunk);
    try {
      while (!this.#isPaused && !this.#isClosed) {
        const packet = this.#reader.next();
        if (packet === undefined) return;
        this.#take(packet);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return this.#session.broke(error, error.field === "length" ? "frame_too_big" : "invalid_frame");
    }
    const rest = this.#reader.takeRest();
    if (this.#isClosed || rest.byteLength === 0) return;
    this.#unread = rest.byteLength;
    this.#socket.unshift(rest);
  }

  #take(packet: MqttPacket): void {
    if (packet.type === "publish") {
      const { id, payload } = packet;
      if (id !== undefined) {
        this.#write({ type: "puback", id });
        this.#checkSocket();
      }
      return this.#text(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength));
    }
    if (packet.type === "disconnect") {
      this.#code = codes.left;
      this.#isClosed = true;
      this.#socket.end();
      return;
    }
    if (packet.type === "pingreq") this.#socket.write(pingAnswer);
    else if (packet.type === "subscribe") this.#write({ ...packet, type: "suback" });
    else if (packet.type === "unsubscribe") this.#write({ ...packet, type: "unsuback" });
    this.#session.pinged();
    this.#checkSocket();
  }

  /** Hands a text on, in order. `listen` `stop` waits for the audio before it. */
  #text(data: Buffer): void {
    this.#release();
    const now = this.#session.clock.now();
    const settled = this.#audioAt + settleMs;
    if (!this.hasAudio || now >= settled || !isListenStop(data)) return this.#session.text(data);
    this.#stop = { data: Buffer.from(data), until: now + longestSettleMs };
    this.#session.clock.wake(this, settled);
  }

  #release(): void {
    const stop = this.#stop;
    this.#stop = undefined;
    if (stop) this.#session.text(stop.data);
  }

  /** Hands on a `listen` `stop` that has waited; called by the clock. */
  tick(now: number): void {
    if (!this.#stop) return;
    const at = Math.min(this.#audioAt + settleMs, this.#stop.until);
    if (now < at) this.#session.clock.wake(this, at);
    else this.#release();
  }

  datagram(data: Buffer): void {
    this.#audioAt = this.#session.clock.now();
    this.#session.read(data.byteLength);
    this.#session.audio(data);
  }

  decode(data: Uint8Array): Uint8Array | DropReason {
    return this.#channel?.decrypt(data) ?? "no-channel";
  }

  failed(error: Error): void {
    this.#session.broke(error, undefined);
  }

  closed(): void {
    this.#isClosed = true;
    this.closeAudio();
    this.#session.gone(this.#code);
  }

  writeText(text: string): void {
    this.#write({ type: "publish", topic: mqttTopics.down, id: undefined, payload: Buffer.from(text) });
    this.#checkSocket();
  }

  #write(packet: MqttPacket): void {
    if (this.#socket.writable) this.#socket.write(encodeMqtt(packet));
  }

  /** Closes a device that does not read what it is sent. */
  #checkSocket(): void {
    if (this.#socket.writableLength > fixedLimits.slowSocketBytes) this.#session.close("slow");
  }

  writeAudio(packet: Uint8Array): void {
    const { udp, drops } = this.#deps;
    const peer = this.#channel?.peer;
    if (!this.#channel || !peer) drops["no-channel"] += 1;
    else udp.send(this.#channel.encrypt(packet), peer);
  }

  /** A device can be sent audio when it has sent some: only then is its address known. */
  writable(): boolean {
    if (this.#channel?.peer) return true;
    const { clock, limits } = this.#session;
    const now = clock.now();
    this.#unreachableSince ??= now;
    if (now - this.#unreachableSince > limits.slowMs) this.#session.close("done");
    return false;
  }

  /** The device itself shows signs of life, at its keepalive. */
  ping(): void {}

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#socket.resume();
  }

  close(): void {
    this.#isClosed = true;
    this.closeAudio();
    this.#socket.end();
    const linger = setTimeout(() => this.#socket.destroy(), fixedLimits.lingerMs).unref();
    this.#socket.once("close", () => clearTimeout(linger));
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

function isListenStop(data: Buffer): boolean {
  return data.byteLength <= longestStopBytes && data.includes('"listen"') && data.includes('"stop"');
}
