import { createCipheriv, createDecipheriv } from "node:crypto";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { datagramHeaderBytes, encodeMqtt, MqttReader, mqttRoles, ServerHello } from "@voxbus/protocol";
import { encodeSpeech, silence } from "@voxbus/testing";
import { createFrame, unmask, type Greeting, type LoadDevice } from "./device.ts";

const longestPacket = 65_536;
const keepalive = 240;
const topic = "up";
const hello = JSON.stringify({ type: "hello", version: 3, transport: "udp", features: {} });
/** A packet of a quiet room, by which the gateway learns where to send sound. Recognizers would take noise for the room's. */
const first = encodeSpeech(silence(60))[0]!;

/** Opens a device over MQTT. With the greeting `hello` it has an audio channel over UDP, otherwise it is idle. */
export async function openMqttDevice(url: URL, id: string, greeting: Greeting, from?: string): Promise<LoadDevice> {
  const socket = connect({
    host: url.hostname,
    port: Number(url.port),
    noDelay: true,
    ...(from !== undefined && { localAddress: from }),
  });
  const device = new MqttLoadDevice(socket, id);
  await device.accepted;
  if (greeting === "hello") await device.openAudio(from);
  return device;
}

class MqttLoadDevice implements LoadDevice {
  readonly id: string;
  readonly accepted: Promise<void>;
  open = true;
  session = "";
  onBinary: LoadDevice["onBinary"] = () => undefined;
  onText: LoadDevice["onText"] = () => undefined;
  onClose: LoadDevice["onClose"] = () => undefined;
  readonly #socket: Socket;
  readonly #reader = new MqttReader(mqttRoles.server, longestPacket);
  #settle: { resolve(): void; reject(error: Error): void } = { resolve: () => undefined, reject: () => undefined };
  #greeted: (text: string) => void = () => undefined;
  #audio: AudioChannel | undefined;

  constructor(socket: Socket, id: string) {
    this.id = id;
    this.#socket = socket;
    this.accepted = this.#wait();
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", (error) => this.#settle.reject(error));
    socket.on("close", () => {
      this.open = false;
      this.#audio?.close();
      this.onClose();
      this.#settle.reject(new Error("the server closed the connection"));
    });
    socket.write(encodeMqtt({ type: "connect", known: true, client: id, username: id, password: "", keepalive }));
  }

  async openAudio(from: string | undefined): Promise<void> {
    let text = "";
    this.#greeted = (answer) => (text = answer);
    const answered = this.#wait();
    this.sendText(hello);
    await answered;
    const { session_id: session, udp } = ServerHello.parse(JSON.parse(text));
    if (!udp) throw new Error("the server's hello has no address for audio");
    this.session = session;
    this.#audio = new AudioChannel(udp, (packet) => this.onBinary(packet));
    await this.#audio.begin(from);
    this.#audio.send(first);
  }

  send(frame: number): void {
    this.#audio?.send(createFrame(frame));
  }

  sendEncoded(frame: Buffer): void {
    this.#audio?.send(unmask(frame));
  }

  sendText(text: string): void {
    this.#socket.write(encodeMqtt({ type: "publish", topic, id: undefined, payload: Buffer.from(text) }));
  }

  close(): void {
    this.#socket.destroy();
  }

  #wait(): Promise<void> {
    return new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
  }

  #read(chunk: Buffer): void {
    this.#reader.push(chunk);
    for (let packet = this.#reader.next(); packet; packet = this.#reader.next()) {
      if (packet.type === "connack") {
        if (packet.code === 0) this.#settle.resolve();
        else this.#settle.reject(new Error(`the connection was refused: CONNACK ${packet.code}`));
        if (packet.code !== 0) this.close();
      } else if (packet.type === "publish") this.#take(Buffer.from(packet.payload).toString());
    }
  }

  #take(text: string): void {
    if (this.#audio) return this.onText(text);
    if (!text.includes('"hello"')) return;
    this.#greeted(text);
    this.#settle.resolve();
  }
}

type Offer = NonNullable<ReturnType<typeof ServerHello.parse>["udp"]>;

/** The audio channel of one device. */
class AudioChannel {
  readonly #socket: UdpSocket = createSocket("udp4");
  readonly #offer: Offer;
  readonly #key: Buffer;
  readonly #nonce: Buffer;
  #seq = 0;

  constructor(offer: Offer, onPacket: (packet: Buffer) => void) {
    this.#offer = offer;
    this.#key = Buffer.from(offer.key, "hex");
    this.#nonce = Buffer.from(offer.nonce, "hex");
    this.#socket.on("message", (data) => {
      const cipher = createDecipheriv("aes-128-ctr", this.#key, data.subarray(0, datagramHeaderBytes));
      onPacket(cipher.update(data.subarray(datagramHeaderBytes)));
    });
    this.#socket.on("error", () => undefined);
  }

  /** Binds the socket to the device's own address: the gateway takes datagrams of no other. */
  async begin(from: string | undefined): Promise<void> {
    if (from !== undefined) {
      this.#socket.bind(0, from);
      await once(this.#socket, "listening");
    }
    this.#socket.connect(this.#offer.port, this.#offer.server);
    await once(this.#socket, "connect");
  }

  send(packet: Uint8Array): void {
    const head = Buffer.from(this.#nonce);
    head.writeUInt16BE(packet.byteLength, 2);
    head.writeUInt32BE(++this.#seq, 12);
    this.#socket.send(Buffer.concat([head, createCipheriv("aes-128-ctr", this.#key, head).update(packet)]));
  }

  close(): void {
    this.#socket.close();
  }
}
