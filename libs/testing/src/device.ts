import { connect, type Socket } from "node:net";
import { WebSocket } from "ws";

/** A message from the server. */
export type Received = { readonly json: Readonly<Record<string, unknown>> } | { readonly binary: Buffer };

/** A device on a real WebSocket. It sends only what the test says, and answers nothing but pings. */
export interface TestDevice {
  /** Everything received so far, in order; empty if `onReceived` takes the messages. */
  readonly received: readonly Received[];
  /** The session id of the server's hello; empty before it. */
  readonly session: string;
  readonly open: boolean;
  send(message: object | string | Uint8Array): void;
  /** Resolves with the first JSON message that matches and was not given before. Rejects if the connection closes first. */
  next(match: (message: Readonly<Record<string, unknown>>) => boolean): Promise<Readonly<Record<string, unknown>>>;
  /** Resolves with the first binary message that was not given before. Rejects if the connection closes first. */
  binary(): Promise<Buffer>;
  /** Resolves with the close code and reason once the connection is closed. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
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
}

const stockHello = { type: "hello", version: 1, transport: "websocket", features: { mcp: true } };

/** Connects a device and says hello. Rejects with `HTTP <status>` if the server refuses the upgrade. */
export async function openTestDevice(url: string, options: TestDeviceOptions = {}): Promise<TestDevice> {
  const { id, headers, hello = stockHello, onReceived, timeoutMs = 10_000 } = options;
  const socket = new WebSocket(url, {
    headers: { ...(id === undefined ? {} : { "Device-Id": id }), ...headers },
    perMessageDeflate: false,
  });
  const received: Received[] = [];
  const given = new Set<Received>();
  const waiting = new Set<() => void>();
  let session = "";
  let end: { readonly code: number; readonly reason: string } | undefined;

  const wake = () => {
    for (const look of waiting) look();
  };
  const closed = new Promise<{ readonly code: number; readonly reason: string }>((resolve) => {
    socket.on("close", (code, reason) => {
      end = { code, reason: reason.toString() };
      resolve(end);
      wake();
    });
  });
  const greeted = new Promise<void>((resolve, reject) => {
    socket.on("message", (data: Buffer, isBinary) => {
      const message: Received = isBinary ? { binary: data } : { json: JSON.parse(data.toString()) };
      if (onReceived) onReceived(message);
      else received.push(message);
      if ("json" in message && message.json["type"] === "hello") {
        session = String(message.json["session_id"]);
        if (received.at(-1) === message && hello !== false) given.add(message);
        resolve();
      }
      wake();
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
    socket.on("close", (code, reason) => reject(describeClose(code, reason.toString())));
  });
  const timer = setTimeout(() => socket.terminate(), timeoutMs);
  await greeted.finally(() => clearTimeout(timer));

  function take(match: (item: Received) => boolean): Promise<Received> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const item = received.find((candidate) => !given.has(candidate) && match(candidate));
        if (item === undefined && end === undefined) return;
        waiting.delete(look);
        if (item === undefined) return reject(describeClose(end!.code, end!.reason));
        given.add(item);
        resolve(item);
      };
      waiting.add(look);
      look();
    });
  }

  return {
    received,
    closed,
    get session() {
      return session;
    },
    get open() {
      return socket.readyState === WebSocket.OPEN;
    },
    send: (message) =>
      socket.send(typeof message === "string" || message instanceof Uint8Array ? message : JSON.stringify(message)),
    async next(match) {
      const item = await take((candidate) => "json" in candidate && match(candidate.json));
      return "json" in item ? item.json : {};
    },
    async binary() {
      const item = await take((candidate) => "binary" in candidate);
      return "binary" in item ? item.binary : Buffer.alloc(0);
    },
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

function describeClose(code: number, reason: string): Error {
  return new Error(`the connection closed: ${code} ${reason}`.trimEnd());
}
