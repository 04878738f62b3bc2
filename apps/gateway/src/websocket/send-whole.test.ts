import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { sendWhole } from "./send-whole.ts";

type Internals = WebSocket & { readonly _socket: Socket; readonly _sender: { sendFrame?: unknown; _state: number } };

let server: WebSocketServer;
let device: WebSocket;
let socket: Internals;
/** Messages as hex, and whether they are binary: large buffers are slow to compare. */
const received: string[] = [];

beforeAll(async () => {
  server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  device = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  device.on("message", (data: Buffer, isBinary) => received.push(`${isBinary} ${data.toString("hex")}`));
  [socket] = (await once(server, "connection")) as [Internals];
});
afterAll(() => {
  device.terminate();
  server.close();
});

const texts = [
  "",
  "a",
  "é".repeat(62),
  "é".repeat(63),
  "x".repeat(125),
  "x".repeat(126),
  "\ud800 lone",
  "x".repeat(65_536),
];
const binaries = [0, 1, 125, 126, 65_535, 65_536].map((size) => Buffer.alloc(size, size));

test("messages of every length: arrive as ws sends them, in order with its own frames, each in one write", async () => {
  const write = vi.spyOn(socket._socket, "write");
  for (const payload of [...texts, ...binaries]) {
    sendWhole(socket, payload);
    socket.send(payload);
  }
  socket.ping();
  const count = 2 * (texts.length + binaries.length);
  await vi.waitFor(() => expect(received.length).toBe(count), { timeout: 10_000 });
  for (let at = 0; at < count; at += 2) expect(received[at] === received[at + 1]).toBe(true);
  // ws writes a header and a payload. The one that is empty has no payload.
  const nonEmpty = [...texts, ...binaries].filter(({ length }) => length > 0).length;
  expect(write).toHaveBeenCalledTimes(received.length + nonEmpty + 1);
  write.mockRestore();
});

test("a ws with other internals, or in the middle of another message: sends in its own way", () => {
  const send = vi.spyOn(socket, "send").mockReturnValue();
  const { sendFrame } = socket._sender;
  socket._sender.sendFrame = undefined;
  sendWhole(socket, "one");
  socket._sender.sendFrame = sendFrame;
  socket._sender._state = 1;
  sendWhole(socket, "two");
  socket._sender._state = 0;
  expect(send.mock.calls).toEqual([["one"], ["two"]]);
  send.mockRestore();
});

test("a socket that closes: sends nothing, and does not throw", async () => {
  socket.close();
  const before = received.length;
  sendWhole(socket, "late");
  sendWhole(socket, Buffer.of(1));
  await once(socket, "close");
  sendWhole(socket, "later");
  expect(received).toHaveLength(before);
});
