import { createCipheriv, createDecipheriv } from "node:crypto";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import {
  datagramHeaderBytes,
  decodeDatagramHeader,
  encodeMqtt,
  MqttReader,
  mqttRoles,
  ProtocolError,
  ServerHello,
  type MqttPacket,
} from "@voxbus/protocol";
import { ConnectionError, type Connection, type Identity, type Received } from "./connection.ts";
import type { JsonObject } from "./device-tools.ts";
import type { HelloAnswer } from "./hello-wait.ts";
import { readClock } from "./microphone.ts";

const answerMs = 10_000;
const closeWaitMs = 1000;
const keepaliveS = 240;
const longestPacket = 65_536;
const topic = "voxbus/up";
const broken = 1006;

/** True for the address of a server that is reached over MQTT. */
export function isMqtt({ url }: Pick<Identity, "url">): boolean {
  return /^mqtts?:/.test(url);
}

/**
 * Connects over MQTT as stock firmware does, and stays connected while the device is idle. It subscribes to nothing. The
 * server's hello opens the UDP channel, and a goodbye of either side closes it. Throws `ConnectionError`: `unreachable`, or
 * `refused` with the code of the CONNACK.
 */
export async function openMqttConnection(
  identity: Identity,
  onReceived: (received: Received) => void,
  signal?: AbortSignal,
): Promise<Connection> {
  signal?.throwIfAborted();
  const line = new MqttLine(identity, onReceived);
  const drop = () => line.drop();
  signal?.addEventListener("abort", drop, { once: true });
  void line.closed.then(() => signal?.removeEventListener("abort", drop));
  await line.accepted;
  return line;
}

class MqttLine implements Connection {
  readonly accepted: Promise<void>;
  readonly closed: Promise<void>;
  readonly #onReceived: (received: Received) => void;
  readonly #socket: Socket;
  readonly #reader = new MqttReader(mqttRoles.server, longestPacket);
  #accept: (() => void) | undefined;
  #refuse: (error: ConnectionError) => void = () => undefined;
  #channel: AudioLine | undefined;
  #packetsSent = 0;
  #pinging: NodeJS.Timeout | undefined;

  constructor({ url, id, clientId, token }: Identity, onReceived: (received: Received) => void) {
    const { protocol, hostname, port } = new URL(url);
    this.#onReceived = onReceived;
    this.accepted = new Promise((resolve, reject) => {
      this.#accept = resolve;
      this.#refuse = reject;
    });
    const at = { host: hostname, port: Number(port) };
    const socket = protocol === "mqtts:" ? connectTls({ ...at, servername: hostname }) : connect(at);
    this.#socket = socket;
    socket.setTimeout(answerMs, () => {
      this.#refuse(new ConnectionError("unreachable", "the server did not answer CONNECT"));
      this.drop();
    });
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", (cause: Error & { code?: string }) =>
      this.#refuse(new ConnectionError("unreachable", cause.code ?? cause.message, { cause })),
    );
    this.closed = new Promise((resolve) => socket.once("close", () => resolve(this.#end())));
    this.#write({
      type: "connect",
      known: true,
      client: id,
      username: clientId,
      password: token ?? "",
      keepalive: keepaliveS,
    });
  }

  get open(): boolean {
    return this.#socket.writable;
  }

  get packetsSent(): number {
    return this.#packetsSent;
  }

  sendText(text: string): void {
    if (text.includes('"type":"goodbye"')) this.#closeChannel();
    this.#write({ type: "publish", topic, id: undefined, payload: Buffer.from(text) });
  }

  sendPacket(packet: Uint8Array): void {
    if (this.#channel === undefined) return;
    this.#packetsSent++;
    this.#channel.send(packet);
  }

  sendBinary(data: Uint8Array): void {
    this.#channel?.sendRaw(data);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  async close(how: "drop" | "frame"): Promise<void> {
    this.#closeChannel();
    if (how === "frame") this.#write({ type: "disconnect" });
    if (how === "frame") this.#socket.end();
    else this.drop();
    const timer = setTimeout(() => this.drop(), closeWaitMs);
    await this.closed;
    clearTimeout(timer);
  }

  drop(): void {
    this.#socket.destroy();
  }

  #write(packet: MqttPacket): void {
    if (this.open) this.#socket.write(encodeMqtt(packet));
  }

  #read(chunk: Buffer): void {
    try {
      this.#reader.push(chunk);
      for (let packet = this.#reader.next(); packet; packet = this.#reader.next()) this.#take(packet);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#onReceived({ t: readClock(), got: "bad", data: chunk, problem: error.message });
      this.drop();
    }
  }

  #take(packet: MqttPacket): void {
    if (packet.type === "connack") {
      this.#socket.setTimeout(0);
      const { code: status } = packet;
      if (status !== 0)
        return this.#refuse(
          new ConnectionError("refused", `the server refused the device: CONNACK ${status}`, { status }),
        );
      this.#pinging = setInterval(() => this.#write({ type: "pingreq" }), (keepaliveS * 1000) / 2).unref();
      this.#accept?.();
    }
    if (packet.type !== "publish") return;
    const t = readClock();
    const data = Buffer.from(packet.payload);
    const message = parse(data);
    if (message === undefined)
      return this.#onReceived({ t, got: "bad", data, problem: "a message that is not a JSON object" });
    if (message["type"] === "hello") this.#openChannel(message);
    if (message["type"] === "goodbye") this.#closeChannel();
    this.#onReceived({ t, got: "json", message });
  }

  #openChannel(message: JsonObject): void {
    this.#closeChannel();
    const udp = ServerHello.safeParse(message).data?.udp;
    if (udp) this.#channel = new AudioLine(udp, this.#onReceived);
  }

  #closeChannel(): void {
    this.#channel?.close();
    this.#channel = undefined;
  }

  #end(): void {
    // A connection that was never accepted tells no end: `accepted` rejects.
    const wasOpen = this.#pinging !== undefined;
    clearInterval(this.#pinging);
    this.#closeChannel();
    this.#refuse(new ConnectionError("unreachable", "the server hung up"));
    if (wasOpen) this.#onReceived({ t: readClock(), got: "close", code: broken, reason: "" });
  }
}

type Offer = NonNullable<HelloAnswer["udp"]>;

/** The UDP channel of one conversation. Stock firmware leaves the timestamp at 0, and takes what is newer than the last datagram. */
class AudioLine {
  readonly #socket: UdpSocket;
  readonly #key: Buffer;
  readonly #nonce: Buffer;
  readonly #to: { readonly server: string; readonly port: number };
  readonly #onReceived: (received: Received) => void;
  #seq = 0;
  #lastSeq = 0;

  constructor({ server, port, key, nonce }: Offer, onReceived: (received: Received) => void) {
    this.#to = { server, port };
    this.#key = Buffer.from(key, "hex");
    this.#nonce = Buffer.from(nonce, "hex");
    this.#onReceived = onReceived;
    this.#socket = createSocket("udp4");
    this.#socket.on("message", (data) => this.#receive(data));
    this.#socket.on("error", () => undefined);
  }

  send(packet: Uint8Array): void {
    const head = Buffer.from(this.#nonce);
    head.writeUInt16BE(packet.byteLength, 2);
    head.writeUInt32BE(++this.#seq, 12);
    this.sendRaw(Buffer.concat([head, createCipheriv("aes-128-ctr", this.#key, head).update(packet)]));
  }

  sendRaw(data: Uint8Array): void {
    this.#socket.send(data, this.#to.port, this.#to.server, () => undefined);
  }

  #receive(data: Buffer): void {
    const t = readClock();
    try {
      const { seq } = decodeDatagramHeader(data);
      if (seq <= this.#lastSeq) return;
      this.#lastSeq = seq;
      const cipher = createDecipheriv("aes-128-ctr", this.#key, data.subarray(0, datagramHeaderBytes));
      this.#onReceived({ t, got: "audio", data, packet: cipher.update(data.subarray(datagramHeaderBytes)) });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#onReceived({ t, got: "bad", data, problem: error.message });
    }
  }

  close(): void {
    this.#socket.close();
  }
}

function parse(data: Buffer): JsonObject | undefined {
  try {
    const message: unknown = JSON.parse(data.toString());
    return typeof message === "object" && message !== null ? (message as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}
