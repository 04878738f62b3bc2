import { connect, type Socket } from "node:net";
import { WebSocket } from "ws";

/** What a test's device received, in order. */
export type Received = { readonly json: Record<string, unknown> } | { readonly binary: Buffer };

/** A bare device for tests: sends what it is told and keeps all that comes. */
export interface TestDevice {
  readonly received: readonly Received[];
  send(message: object | string | Uint8Array): void;
  /** Resolves with the first message from now on, or already there, that `match` accepts; each is given once. */
  next(match: (message: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  /** Resolves with the next binary message that was not given yet. */
  binary(): Promise<Buffer>;
  /** Resolves with code and reason once the socket is closed. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  /** Stops reading: what comes stays in the network, and no ping is answered. */
  pause(): void;
  /** Drops TCP without a Close, as stock devices do. */
  vanish(): void;
}

/** Opens a device. Rejects with `HTTP <status>` when the upgrade is refused. */
export async function openDevice(
  url: string,
  headers: Readonly<Record<string, string>>,
  { hello = true }: { readonly hello?: boolean } = {},
): Promise<TestDevice> {
  const socket = new WebSocket(url, { headers, perMessageDeflate: false });
  const received: Received[] = [];
  const given = new Set<Received>();
  let arrived: () => void = () => undefined;
  socket.on("message", (data, isBinary) => {
    received.push(isBinary ? { binary: data as Buffer } : { json: JSON.parse((data as Buffer).toString()) });
    arrived();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
    socket.once("unexpected-response", (_request, response) => {
      reject(new Error(`HTTP ${response.statusCode}`));
      response.destroy();
    });
  });
  socket.on("error", () => socket.terminate());
  const find = async (match: (item: Received) => boolean): Promise<Received> => {
    for (;;) {
      const item = received.find((candidate) => !given.has(candidate) && match(candidate));
      if (item) {
        given.add(item);
        return item;
      }
      await new Promise<void>((resolve) => (arrived = resolve));
    }
  };
  const device: TestDevice = {
    received,
    closed,
    send: (message) =>
      socket.send(typeof message === "string" || message instanceof Uint8Array ? message : JSON.stringify(message)),
    async next(match) {
      const item = await find((candidate) => "json" in candidate && match(candidate.json));
      return "json" in item ? item.json : {};
    },
    async binary() {
      const item = await find((candidate) => "binary" in candidate);
      return "binary" in item ? item.binary : Buffer.alloc(0);
    },
    pause: () => socket.pause(),
    vanish: () => socket.terminate(),
  };
  if (hello) {
    device.send({ type: "hello", version: 1, transport: "websocket", features: { mcp: true } });
    await device.next(({ type }) => type === "hello");
  }
  return device;
}

/** Closes a device and waits for it. */
export async function leave(device: TestDevice): Promise<void> {
  device.vanish();
  await device.closed;
}

/** Opens a device made of bytes: the upgrade and a hello, and nothing that answers by itself. */
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
