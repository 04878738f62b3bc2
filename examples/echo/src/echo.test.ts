import type { Bus } from "@voxbus/bus";
import { connectTestBus, startNatsServer, loose } from "@voxbus/testing";
import { channels, type Outbound } from "@voxbus/protocol";
import { startSubscriber, type Running } from "@voxbus/subscriber";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { buildEcho, echo } from "./echo.ts";

let nats: Awaited<ReturnType<typeof startNatsServer>>;
let gateway: Bus;
const running: Running[] = [];
const out: [device: string, frame: Outbound][] = [];

beforeAll(async () => {
  nats = await startNatsServer();
  gateway = await connectTestBus(nats.url);
  gateway.subscribe(channels.out("*"), (frame, { device }) => void out.push([device, frame]));
  await gateway.flush();
});
afterEach(async () => {
  for (const program of running.splice(0)) await program.stop("quick");
  out.splice(0);
});
afterAll(async () => {
  await gateway?.close();
  await nats?.stop();
});

async function startEcho(env: Record<string, string> = {}) {
  const all = { VOXBUS_NATS_URL: nats.url, VOXBUS_LOG_LEVEL: "fatal", ...env };
  running.push(await startSubscriber(echo, buildEcho, all));
}

const speak = (device: string, seq: number, body: Uint8Array) =>
  gateway.publish(channels.inAudio(device), { session: "s1", seq, at: 1, kind: "audio", body });

const packet = (...payload: number[]) => Uint8Array.of(3 << 3, ...payload);

test("echo: each packet comes back to its session with its duration", async () => {
  await startEcho();
  for (const seq of [1, 2, 3]) speak("d1", seq, packet(seq));
  await vi.waitFor(() => expect(out).toHaveLength(3));
  expect(out).toEqual(
    [1, 2, 3].map((seq) => ["d1", { session: "s1", kind: "audio", duration: 60, body: Buffer.from(packet(seq)) }]),
  );
});

test("echo: typed text is shown", async () => {
  await startEcho();
  const text = { session: "s1", seq: 1, at: 1, kind: "text", body: "hello" };
  gateway.publish(loose(channels.inText("d1")), text);
  await vi.waitFor(() => expect(out).toHaveLength(1));
  const body = { type: "alert", status: "Echo", message: "hello", emotion: "neutral" };
  expect(out).toEqual([["d1", { kind: "text", body }]]);
});

test("echo: of two echoes, one answers each packet", async () => {
  await startEcho();
  await startEcho();
  for (let seq = 1; seq <= 20; seq++) speak("d1", seq, packet(seq));
  await vi.waitFor(() => expect(out.length).toBeGreaterThanOrEqual(20));
  expect(new Set(out.map(([, { body }]) => JSON.stringify(body))).size).toBe(20);
  expect(out).toHaveLength(20);
});

test("echo: with VOXBUS_ECHO_DEVICE it leaves other devices alone", async () => {
  await startEcho({ VOXBUS_ECHO_DEVICE: "d2" });
  speak("d1", 1, packet(1));
  speak("d2", 1, packet(2));
  await vi.waitFor(() => expect(out).not.toHaveLength(0));
  expect(out.map(([device]) => device)).toEqual(["d2"]);
});
