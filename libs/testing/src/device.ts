import { connect, type Socket } from "node:net";
import { WebSocket } from "ws";
import { createInbox } from "./inbox.ts";

type Json = Readonly<Record<string, unknown>>;

interface JsonMessage {
  readonly json: Json;
}
interface BinaryMessage {
  readonly binary: Buffer;
}
/** A message from the server. */
export type Received = JsonMessage | BinaryMessage;

/** The code and the reason with which a connection closed. */
interface End {
  readonly code: number;
  readonly reason: string;
}

/** A device on a real WebSocket. It sends only what the test says, and answers nothing but pings. */
export interface TestDevice {
  /** Everything received so far, in order; empty if `onReceived` takes the messages. */
  readonly received: readonly Received[];
  /** The session id of the server's hello; empty before it. */
  readonly session: string;
  readonly open: boolean;
  /** Bytes that the network has not taken yet. */
  readonly unsent: number;
  send(message: object | string | Uint8Array): void;
  /** Resolves with the first JSON message that matches and was not given before. Rejects if the connection closes first. */
  next(match: (message: Json) => boolean): Promise<Json>;
  /** Resolves with the first binary message that was not given before. Rejects if the connection closes first. */
  binary(): Promise<Buffer>;
  /** Resolves with the close code and reason once the connection is closed. */
  readonly closed: Promise<End>;
  /** Stops reading: messages stay in the network, and pings are not answered. */
  pause(): void;
  /** Writes bytes to the TCP connection without WebSocket framing. */
  writeRaw(bytes: Uint8Array): void;
  /** Drops the TCP connection without a Close frame, as stock devices do. */
  vanish(): void;
}

/** The options of `openTestDevice`. */
export interface TestDeviceOptions {
  /** The Device-Id header; without it the header is missing. */
  readonly id?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The hello to send, whose answer is awaited; `false` sends none. */
  readonly hello?: object | false;
  /** Takes each message instead of `received`, `next` and `binary`. */
  readonly onReceived?: (received: Received) => void;
  /** The longest wait for the connection and the server's hello, in ms; 10 s by default. */
  readonly timeoutMs?: number;
  /** The address that the device connects from. */
  readonly localAddress?: string;
  /** The authority of the server's certificate, as PEM. */
  readonly ca?: string;
}

const stockHello = { type: "hello", version: 1, transport: "websocket", features: { mcp: true } };

/** Connects a device and says hello. Rejects with `HTTP <status>` if the server refuses the upgrade. */
export async function openTestDevice(url: string, options: TestDeviceOptions = {}): Promise<TestDevice> {
  const { id, headers, hello = stockHello, onReceived, timeoutMs = 10_000, localAddress, ca } = options;
  const socket = new WebSocket(url, {
    headers: { ...(id === undefined ? {} : { "Device-Id": id }), ...headers },
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(ca === undefined ? {} : { ca }),
    perMessageDeflate: false,
  });
  const inbox = createInbox<Received>();
  let session = "";
  const closed = new Promise<End>((resolve) => {
    socket.on("close", (code, reason) => {
      const end = { code, reason: reason.toString() };
      inbox.close(describeClose(end));
      resolve(end);
    });
  });
  const greeted = new Promise<void>((resolve, reject) => {
    socket.on("message", (data: Buffer, isBinary) => {
      const message: Received = isBinary ? { binary: data } : { json: JSON.parse(data.toString()) };
      const isHello = "json" in message && message.json["type"] === "hello";
      if (isHello) session = String(message.json["session_id"]);
      if (onReceived) onReceived(message);
      else inbox.put(message);
      if (isHello) resolve();
    });
    socket.on("open", () => (hello === false ? resolve() : socket.send(JSON.stringify(hello))));
    socket.on("unexpected-response", (_request, response) => {
      reject(new Error(`HTTP ${response.statusCode}`));
      response.destroy();
    });
    socket.on("error", (error) => {
      reject(error);
      socket.terminate();
    });
    void closed.then((end) => reject(describeClose(end)));
  });
  const timer = setTimeout(() => socket.terminate(), timeoutMs);
  await greeted.finally(() => clearTimeout(timer));
  if (hello !== false && !onReceived) await inbox.take((item) => "json" in item && item.json["type"] === "hello");

  return {
    received: inbox.items,
    closed,
    get session() {
      return session;
    },
    get open() {
      return socket.readyState === WebSocket.OPEN;
    },
    get unsent() {
      return socket.bufferedAmount;
    },
    send: (message) =>
      socket.send(typeof message === "string" || message instanceof Uint8Array ? message : JSON.stringify(message)),
    next: async (match) => (await inbox.take((item): item is JsonMessage => "json" in item && match(item.json))).json,
    binary: async () => (await inbox.take((item): item is BinaryMessage => "binary" in item)).binary,
    pause: () => socket.pause(),
    writeRaw: (bytes) => void (socket as unknown as { readonly _socket: Socket })._socket.write(bytes),
    vanish: () => socket.terminate(),
  };
}

/** Drops a device's connection and waits until it is closed. */
export async function leave(device: TestDevice): Promise<void> {
  device.vanish();
  await device.closed;
}

/** Opens a device on a bare TCP socket: it writes the upgrade and a hello, and reads and answers nothing. */
export function connectRaw(id: string, address: string): Socket {
  const url = new URL(address);
  const socket = connect(Number(url.port), url.hostname);
  socket.write(
    `GET ${url.pathname} HTTP/1.1\r\nHost: x\r\nDevice-Id: ${id}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  );
  const hello = Buffer.from('{"type":"hello"}');
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | hello.length, 0, 0, 0, 0]), hello]));
  return socket;
}

function describeClose({ code, reason }: End): Error {
  return new Error(`the connection closed: ${code} ${reason}`.trimEnd());
}
