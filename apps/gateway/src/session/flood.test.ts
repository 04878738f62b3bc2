import type { Socket } from "node:net";
import type { Running } from "@voxbus/subscriber";
import { connectRaw } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { addressOf, openTestGateways, readStats, type TestGateways } from "../test-gateways.ts";

let gateways: TestGateways;
let one: Running;

beforeAll(async () => {
  gateways = await openTestGateways();
  one = await gateways.start({ VOXBUS_FLOOD_MS: "2000" });
});
afterEach(() => gateways.leaveAll());
afterAll(() => gateways.stop());

/** Makes a masked WebSocket frame. `first` is its first byte. */
function frame(first: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const { length } = payload;
  const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([first, ...size, 0, 0, 0, 0]), payload]);
}

/** Opens a device that writes the same bytes again and again, and reads what it is sent. */
function pour(id: string, bytes: Buffer): Socket {
  const socket = connectRaw(id, addressOf(one));
  socket.on("error", () => undefined).resume();
  let timer: NodeJS.Timeout | undefined;
  socket.on("close", () => clearInterval(timer));
  timer = setInterval(() => socket.writableLength < 65_536 && socket.write(bytes), 5);
  return socket;
}

const text = Buffer.from('{"type":"ping"}');
/** Input that would cost the gateway time without end. */
const floods: Readonly<Record<string, Buffer>> = {
  pongs: frame(0x8a),
  pings: frame(0x89, new Uint8Array(100)),
  "empty binary messages": frame(0x82),
  "oversized audio": frame(0x82, new Uint8Array(9000)),
  "audio that does not parse": frame(0x82, new Uint8Array(3)),
  texts: frame(0x81, text),
  "malformed texts": frame(0x81, Buffer.from("{")),
  "hellos without an end": frame(0x81, Buffer.from('{"type":"hello"}')),
};

it.each(Object.keys(floods))("flood: %s without end close the session with 4004", async (kind) => {
  const closes = async () => (await readStats(one)).closes["flood"] ?? 0;
  const before = await closes();
  const bytes = floods[kind] ?? Buffer.alloc(0);
  const copies = Math.max(1, Math.floor(4000 / bytes.length));
  const socket = pour("flood", Buffer.concat(Array.from({ length: copies }, () => bytes)));
  await expect.poll(closes, { timeout: 10_000 }).toBe(before + 1);
  socket.destroy();
});

it("flood: parts of a message count, also those that are never completed", async () => {
  const parts = Array.from({ length: 40 }, () => frame(0x00, new Uint8Array(1000)));
  const message = Buffer.concat([frame(0x02, new Uint8Array(1)), ...parts, frame(0x80)]);
  const before = (await readStats(one)).closes["flood"] ?? 0;
  const socket = pour("parts", message);
  await expect.poll(async () => (await readStats(one)).closes["flood"], { timeout: 10_000 }).toBe(before + 1);
  socket.destroy();
});

it("flood: a byte at a time costs more than its bytes", async () => {
  const before = (await readStats(one)).closes["flood"] ?? 0;
  const socket = connectRaw("trickle", addressOf(one));
  socket.setNoDelay(true).on("error", () => undefined);
  socket.resume();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const ping = frame(0x81, text);
  let at = 0;
  const drip = () => {
    for (let n = 0; n < 8; n += 1) socket.write(ping.subarray(at % ping.length, (at++ % ping.length) + 1));
    if (!socket.destroyed) setImmediate(drip);
  };
  drip();
  await expect.poll(async () => (await readStats(one)).closes["flood"], { timeout: 15_000 }).toBe(before + 1);
  socket.destroy();
});

it("budget: what stock firmware sends after a stall passes whole, and so does its usual rate", async () => {
  const device = await gateways.connect(one, { id: "stalled" });
  const before = (await readStats(one)).drops;
  const packet = new Uint8Array(200).fill(1);
  // 2.4 s at once in frames of 20 ms, and then in real time.
  for (let n = 0; n < 120; n += 1) device.send(packet);
  for (let n = 0; n < 50; n += 1) {
    device.send(packet);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  device.send({ type: "ping" });
  await device.next(({ type }) => type === "pong");
  const { drops, received } = await readStats(one);
  expect(drops["rate"]).toBe(before["rate"]);
  expect(received["audio"]).toBeGreaterThanOrEqual(170);
});
