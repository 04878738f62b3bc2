import { createCipheriv, createDecipheriv } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import {
  datagramHeaderBytes,
  decodeDatagramHeader,
  encodeDatagramHeader,
  encodeMqtt,
  MqttReader,
  mqttRoles,
  type MqttPacket,
} from "@voxbus/protocol";
import { createInbox } from "./inbox.ts";

type Json = Readonly<Record<string, unknown>>;

/** A device on a real MQTT connection. Like stock firmware it subscribes to nothing. It answers only what the test says. */
export interface MqttDevice {
  /** The return code of the CONNACK. */
  readonly code: number;
  /** Everything received so far, in order. */
  readonly received: readonly Json[];
  /** The packets received that are no PUBLISH. */
  readonly packets: readonly MqttPacket[];
  /** Sends JSON, or another packet. */
  send(message: object): void;
  sendPacket(packet: MqttPacket): void;
  /** Resolves with the first message that matches and was not given before. Rejects if the connection closes first. */
  next(match: (message: Json) => boolean): Promise<Json>;
  /** Resolves once the connection is closed. */
  readonly closed: Promise<void>;
  /** Stops reading. */
  pause(): void;
  writeRaw(bytes: Uint8Array): void;
  /** Drops the connection. */
  vanish(): void;
}

/** The options of `connectMqtt`. */
export interface MqttDeviceOptions {
  readonly port: number;
  readonly id: string;
  readonly token?: string;
  /** The authority of the server's certificate. Without it there is no TLS. */
  readonly ca?: string;
  /** Seconds; 240 by default. */
  readonly keepalive?: number;
  /** Answers MCP requests. By default each is refused, as stock firmware refuses a method that it does not know. */
  readonly onMcp?: (request: Json) => object | undefined;
  /** Called with each message. */
  readonly onReceived?: (message: Json) => void;
  /** The longest wait for the CONNACK, ms; 10 s by default. */
  readonly timeoutMs?: number;
}

const longestPacket = 65_536;
/** Refuses a method of MCP, as firmware does with those that it does not know. */
export function refuseMethod({ id, method }: Json): object {
  return { jsonrpc: "2.0", id, error: { message: `Method not implemented: ${String(method)}` } };
}

/** Connects a device. Resolves when its CONNECT was answered. Rejects if the connection closes first. */
export async function connectMqtt(options: MqttDeviceOptions): Promise<MqttDevice> {
  const { port, id, token = "", ca, keepalive = 240, onMcp = refuseMethod, onReceived, timeoutMs = 10_000 } = options;
  const socket = ca === undefined ? connect(port, "127.0.0.1") : connectTls({ port, ca, servername: "localhost" });
  const reader = new MqttReader(mqttRoles.server, longestPacket);
  const inbox = createInbox<Json>();
  const packets = createInbox<MqttPacket>();
  const send = (message: object) => {
    const payload = Buffer.from(JSON.stringify(message));
    socket.write(encodeMqtt({ type: "publish", topic: "up", id: undefined, payload }));
  };
  const closed = new Promise<void>((resolve) => {
    socket.on("close", () => {
      const error = new Error("the connection closed");
      inbox.close(error);
      packets.close(error);
      resolve();
    });
  });
  socket.on("error", () => undefined);
  socket.on("data", (chunk) => {
    reader.push(chunk);
    for (let packet = reader.next(); packet; packet = reader.next()) {
      if (packet.type !== "publish") {
        packets.put(packet);
        continue;
      }
      const message = JSON.parse(Buffer.from(packet.payload).toString()) as Json;
      inbox.put(message);
      onReceived?.(message);
      if (message["type"] !== "mcp") continue;
      const payload = onMcp(message["payload"] as Json);
      if (payload) send({ session_id: "", type: "mcp", payload });
    }
  });
  const known = true;
  socket.write(encodeMqtt({ type: "connect", known, client: id, username: "client", password: token, keepalive }));
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  const answer = await packets.find((packet) => packet.type === "connack").finally(() => clearTimeout(timer));
  return {
    code: answer.type === "connack" ? answer.code : -1,
    received: inbox.items,
    packets: packets.items,
    send,
    sendPacket: (packet) => void socket.write(encodeMqtt(packet)),
    next: (match) => inbox.take(match),
    closed,
    pause: () => void socket.pause(),
    writeRaw: (bytes) => void socket.write(bytes),
    vanish: () => void socket.destroy(),
  };
}

/** The audio channel of a device, as its hello opened it. */
export interface TestAudio {
  /** The server's hello. */
  readonly hello: Json;
  readonly session: string;
  /** The packets received so far, decrypted, and their datagrams. */
  readonly received: readonly { readonly datagram: Buffer; readonly packet: Buffer }[];
  /** Makes the datagram of a packet. Default: the next seq. */
  encrypt(packet: Uint8Array, seq?: number): Buffer;
  send(packet: Uint8Array, seq?: number): void;
  /** Sends a datagram as it is. */
  sendRaw(datagram: Uint8Array): void;
  /** Sends from a new port from now on, as behind a router that has forgotten the old one. */
  move(): Promise<void>;
  /** Resolves when this many packets have been received. */
  until(count: number): Promise<void>;
  close(): void;
}

/** Says hello, and opens the audio channel that the server offers. `onPacket` is called with each packet. */
export async function openAudio(device: MqttDevice, onPacket?: (packet: Buffer) => void): Promise<TestAudio> {
  device.send({ type: "hello", version: 3, transport: "udp", features: { mcp: true } });
  const hello = await device.next(({ type }) => type === "hello");
  const { server, port, key, nonce } = hello["udp"] as Record<string, string>;
  const secret = Buffer.from(key ?? "", "hex");
  const { flags, ssrc } = decodeDatagramHeader(
    Buffer.concat([patchSize(Buffer.from(nonce ?? "", "hex")), Buffer.alloc(1)]),
  );
  const inbox = createInbox<{ readonly datagram: Buffer; readonly packet: Buffer }>();
  const open = async () => {
    const socket = createSocket("udp4");
    socket.on("message", (datagram) => {
      const cipher = createDecipheriv("aes-128-ctr", secret, datagram.subarray(0, datagramHeaderBytes));
      const packet = cipher.update(datagram.subarray(datagramHeaderBytes));
      inbox.put({ datagram, packet });
      onPacket?.(packet);
    });
    socket.connect(Number(port), server);
    await once(socket, "connect");
    return socket;
  };
  let socket = await open();
  let last = 0;
  const encrypt = (packet: Uint8Array, seq = ++last) => {
    const head = encodeDatagramHeader({ flags, ssrc, size: packet.byteLength, timestamp: 0, seq });
    return Buffer.concat([head, createCipheriv("aes-128-ctr", secret, head).update(packet)]);
  };
  return {
    hello,
    session: String(hello["session_id"]),
    received: inbox.items,
    encrypt,
    send: (packet, seq) => socket.send(encrypt(packet, seq)),
    sendRaw: (datagram) => socket.send(datagram),
    async move() {
      socket.close();
      socket = await open();
    },
    async until(count) {
      await inbox.find(() => inbox.items.length >= count);
    },
    close: () => void socket.close(),
  };
}

/** Gives a nonce the size of one byte, so that it reads as a header. */
function patchSize(nonce: Buffer): Buffer {
  nonce.writeUInt16BE(1, 2);
  return nonce;
}
