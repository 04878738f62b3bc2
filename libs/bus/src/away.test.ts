import { z } from "zod";
import { channels, encodeEnvelope, type Inbound } from "@voxbus/protocol";
import { startNatsServer, type NatsServer, loose } from "@voxbus/testing";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Bus } from "./bus.ts";
import { BusAwayError } from "./errors.ts";
import { connectOwnBus } from "./test-bus.ts";

let server: NatsServer;
let bus: Bus;

const connect = (): Promise<Bus> => connectOwnBus(server.url);
const makeText = (seq: number): Inbound => ({
  session: "s1",
  seq,
  at: 0,
  kind: "text",
  body: "hello",
});
const openListen = (seq: number): object => ({
  ...makeText(seq),
  kind: "control",
  body: { type: "listen", mode: "auto", gateway: "g1" },
});
const nextChange = (): Promise<boolean> =>
  new Promise((resolve) => {
    const closer = bus.onChange((connected) => {
      closer.close();
      resolve(connected);
    });
  });

beforeEach(async () => {
  server = await startNatsServer();
  bus = await connect();
});
afterEach(async () => {
  await bus.close();
  await server.stop();
});

test("away: a stopped NATS that stays connected is noticed within 2 s and left", async () => {
  const seen: number[] = [];
  bus.subscribe(channels.inText("d1"), ({ seq }) => seen.push(seq));
  const change = nextChange();
  const stoppedAt = performance.now();
  server.kill("SIGSTOP");
  expect(await change).toBe(false);
  expect(performance.now() - stoppedAt).toBeLessThan(2000);
  expect(bus.connected()).toBe(false);
  expect(() => bus.publish(loose(channels.inText("d1")), makeText(1))).toThrow(BusAwayError);
  await expect(bus.flush()).rejects.toThrow(BusAwayError);
  const storing = bus.store(loose(channels.inText("d1")), makeText(2), { id: "s1:2" });
  const back = nextChange();
  server.kill("SIGCONT");
  expect(await back).toBe(true);
  expect((await storing).duplicate).toBe(false);
  bus.publish(loose(channels.inText("d1")), makeText(3));
  await vi.waitFor(() => expect(seen).toEqual([2, 3]));
  expect(bus.stats().reconnects).toBeGreaterThan(0);
});

test("away: a message published into a stopped NATS is stored once", async () => {
  server.kill("SIGSTOP");
  const storing = bus.store(channels.heard("d1"), {
    session: "s1",
    listen: 1,
    utterance: 1,
    from: 1,
    origin: 1,
    text: "",
    language: "en",
  });
  await nextChange();
  server.kill("SIGCONT");
  await storing;
  expect((await bus.stored(channels.heard("d1"), 10)).messages).toHaveLength(1);
});

test("restart: a claim from before a wipe does not acknowledge the message that has its sequence now", async () => {
  const finish: (() => void)[] = [];
  const work = (): Promise<void> => new Promise((resolve) => finish.push(resolve));
  const options = {
    channel: channels.inControlOpen("*"),
    durable: "asr",
  } as const;
  const claims = await bus.claim({ ...options, slots: 2, work });
  const before = await bus.store(loose(channels.inControlOpen("d1")), openListen(1), { id: "s1:1" });
  await vi.waitFor(() => expect(finish).toHaveLength(1));
  await server.restart({ wipe: true });
  const after = await bus.store(loose(channels.inControlOpen("d2")), openListen(2), { id: "s1:2" });
  expect(after.seq).toBe(before.seq);
  await vi.waitFor(() => expect(finish).toHaveLength(2), { timeout: 5000 });
  finish[0]?.();
  await vi.waitFor(() => expect(claims.held()).toBe(1));
  await claims.drain(0);
  const again = await new Promise<string>((resolve, reject) => {
    bus.claim({ ...options, slots: 1, work: async ({ device }) => resolve(device) }).catch(reject);
  });
  expect(again).toBe("d2");
});

test("restart: a message that was not acknowledged is delivered again", async () => {
  await bus.store(loose(channels.inControlOpen("d1")), openListen(1), { id: "s1:1" });
  await server.restart();
  expect(await bus.store(loose(channels.inControlOpen("d1")), openListen(1), { id: "s1:1" })).toMatchObject({
    duplicate: true,
  });
  const seq = await new Promise<number>((resolve, reject) => {
    bus
      .claim({
        channel: channels.inControlOpen("*"),
        durable: "asr",
        slots: 1,
        work: async ({ message }) => resolve(message.seq),
      })
      .catch(reject);
  });
  expect(seq).toBe(1);
});

test("restart: a follower asks for the frames it missed", async () => {
  const other = await connect();
  let memory: Inbound[] = [];
  other.respond(channels.replay("g1"), ({ from }) => {
    const frames = memory.filter(({ seq }) => seq >= from).map((frame) => encodeEnvelope(z.any(), frame));
    return { session: "s1", open: true, newest: memory.length, frames };
  });
  const seen: number[] = [];
  const lost = vi.fn();
  const gone = vi.fn();
  const frame = ({ seq }: Inbound): void => void seen.push(seq);
  const closer = bus.follow({ device: "d1", session: "s1", gateway: "g1", after: 0, frame, lost, gone });
  await bus.flush();
  other.publish(loose(channels.inText("d1")), makeText(1));
  await vi.waitFor(() => expect(seen).toEqual([1]));
  server.kill("SIGKILL");
  memory = [makeText(1), makeText(2), makeText(3)];
  await server.restart();
  await vi.waitFor(() => expect(seen).toEqual([1, 2, 3]), { timeout: 5000 });
  expect([lost.mock.calls, gone.mock.calls]).toEqual([[], []]);
  closer.close();
  await other.close();
});

test("connectBus: a stream that NATS cannot change is refused with an error that names it", async () => {
  const { config } = await server.callApi("STREAM.INFO.voxbus_TURNS");
  await server.callApi("STREAM.DELETE.voxbus_TURNS");
  const other = { ...(config as object), retention: "workqueue" };
  expect(await server.callApi("STREAM.CREATE.voxbus_TURNS", other)).not.toHaveProperty("error");
  await expect(connect()).rejects.toThrow(/the stream voxbus_TURNS cannot be created or updated as docs\/bus\.md says/);
});

test("connectBus: it waits until NATS answers or its signal aborts", async () => {
  const reason = new Error("stopped");
  const abort = new AbortController();
  const waiting = connectOwnBus("nats://127.0.0.1:1", { signal: abort.signal });
  abort.abort(reason);
  await expect(waiting).rejects.toMatchObject({ cause: reason });
  const { url } = server;
  server.kill("SIGKILL");
  const later = connectOwnBus(url);
  await server.restart();
  await (await later).close();
});

test("close: queued messages are sent, and an absent NATS does not delay it", async () => {
  const other = await connect();
  const seen: number[] = [];
  bus.subscribe(channels.inText("d1"), ({ seq }) => seen.push(seq));
  await bus.flush();
  other.publish(loose(channels.inText("d1")), makeText(1));
  await other.close();
  await vi.waitFor(() => expect(seen).toEqual([1]));
  expect(() => other.publish(loose(channels.inText("d1")), makeText(2))).toThrow(BusAwayError);
  server.kill("SIGSTOP");
  const startedAt = performance.now();
  await bus.close();
  expect(performance.now() - startedAt).toBeLessThan(7000);
});

test("away: bytes for a NATS that does not read are bounded, before it counts as away too", async () => {
  server.kill("SIGSTOP");
  const body = "x".repeat(4000);
  let published = 0;
  const publish = (): void => {
    for (; published < 20_000; published += 1)
      bus.publish(loose(channels.inText("d1")), { ...makeText(published), body });
  };
  expect(publish).toThrow(BusAwayError);
  expect(bus.stats().queued).toBeGreaterThan(16 * 1_048_576);
  expect(bus.stats().queued).toBeLessThan(34 * 1_048_576);
  server.kill("SIGCONT");
  await vi.waitFor(() => expect(bus.stats().queued).toBe(0), { timeout: 10_000 });
});
