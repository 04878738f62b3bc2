import { setTimeout as sleep } from "node:timers/promises";
import { BusAwayError, type Bus } from "@voxbus/bus";
import { channels, decodeEnvelope, Inbound } from "@voxbus/protocol";
import type { Running } from "@voxbus/subscriber";
import { startNatsServer } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  isTts,
  openTestGateways,
  readStats,
  untilAway,
  untilControl,
  watchInbound,
  type TestGateways,
} from "../test-gateways.ts";

let gateways: TestGateways;
let bus: Bus;
let one: Running;

beforeAll(async () => {
  gateways = await openTestGateways();
  ({ bus } = gateways);
  one = await gateways.start({ VOXBUS_GATEWAY_ID: "one", VOXBUS_HELLO_TIMEOUT_MS: "400" });
});
afterEach(() => gateways.leaveAll());
afterAll(() => gateways.stop());

describe("uplink", () => {
  it.each([1, 2, 3] as const)("framing %i: packets go both ways byte-exact", async (version) => {
    const id = `framing-${version}`;
    const device = await gateways.connect(one, { id: id, headers: { "Protocol-Version": String(version) } });
    const inbound = await watchInbound(bus, id);
    const wire = { 1: "f8fffe", 2: "000200000000000000000bb800000003f8fffe", 3: "00000003f8fffe" }[version];
    device.send(Buffer.from(wire, "hex"));
    const frame = await inbound.until((all) => all.find(({ kind }) => kind === "audio"));
    expect(Buffer.from(frame.body as Uint8Array).toString("hex")).toBe("f8fffe");
    expect(frame).toMatchObject({ duration: 20 });
    bus.publish(channels.out(id), { kind: "audio", duration: 60, body: Buffer.from("f8fffe", "hex") });
    const back = await device.binary();
    if (version === 2) back.writeUInt32BE(3000, 8);
    expect(back.toString("hex")).toBe(wire);
  });

  it.each([
    ["18", 60],
    ["e0", 2.5],
    ["fb07", 120],
  ])("duration: the packet %s has %f ms, live and in a replay", async (hex, duration) => {
    const id = `lasting-${hex}`;
    const device = await gateways.connect(one, { id });
    const inbound = await watchInbound(bus, id);
    device.send(Buffer.from(hex, "hex"));
    const frame = await inbound.until((all) => all.find(({ kind }) => kind === "audio"));
    expect(frame).toMatchObject({ duration });
    const { session, seq } = frame;
    const { frames } = await bus.request(channels.replay("one"), { session, from: seq, to: seq });
    expect(frames.map((data) => decodeEnvelope(Inbound, data))).toEqual([frame]);
  });

  it("framing: a bridge that leaves bytes 0-7 of version 2 empty is understood", async () => {
    const device = await gateways.connect(one, { id: "bridge", headers: { "Protocol-Version": "2" } });
    const inbound = await watchInbound(bus, "bridge");
    device.send(Buffer.from("000000000000000000000bb800000002f8ff", "hex"));
    const frame = await inbound.until((all) => all.find(({ kind }) => kind === "audio"));
    expect(Buffer.from(frame.body as Uint8Array).toString("hex")).toBe("f8ff");
  });

  it("framing: raw audio under a version 3 header is recognised by the first frame only", async () => {
    const raw = await gateways.connect(one, { id: "raw", headers: { "Protocol-Version": "3" } });
    const inbound = await watchInbound(bus, "raw");
    raw.send(Buffer.from("f8fffefd", "hex"));
    raw.send(Buffer.from("f801", "hex"));
    await inbound.until((all) => (all.filter(({ kind }) => kind === "audio").length === 2 ? true : undefined));
    const strict = await gateways.connect(one, { id: "strict", headers: { "Protocol-Version": "3" } });
    strict.send(Buffer.from("00000001f8", "hex"));
    const before = (await readStats(one)).drops["bad-frame"] ?? 0;
    strict.send(Buffer.from("000000", "hex"));
    strict.send(Buffer.from("00000009f8", "hex"));
    strict.send({ type: "ping" });
    await strict.next(({ type }) => type === "pong");
    expect((await readStats(one)).drops["bad-frame"]).toBe(before + 2);
  });

  it("seq: counts what is published, of all kinds together, without gaps; and every frame can be had again", async () => {
    const inbound = await watchInbound(bus, "counted");
    const device = await gateways.connect(one, { id: "counted" });
    device.send({ type: "listen", state: "start", mode: "auto" });
    device.send("{malformed");
    for (let n = 0; n < 5; n += 1) device.send(new Uint8Array([0xf8, n]));
    device.send({ type: "listen", state: "detect", text: "computer" });
    device.send({ type: "listen", state: "stop" });
    await untilControl(inbound, "stop");
    expect(inbound.all.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(inbound.all.flatMap(({ kind, body }) => (kind === "control" ? [body.type] : []))).toEqual([
      "opened",
      "listen",
      "wake",
      "stop",
    ]);
    const session = inbound.all[0]?.session ?? "";
    const answer = await bus.request(channels.replay("one"), { session, from: 3, to: 7 });
    expect(answer).toMatchObject({ open: true, newest: 9 });
    expect(answer.frames).toHaveLength(5);
    const gone = await bus.request(channels.replay("one"), { session: "nobody", from: 1 });
    expect(gone).toMatchObject({ open: false, frames: [] });
  });

  it("NATS away: a device stays connected, an abort silences at once, what it says is published when NATS is back", async () => {
    const inbound = await watchInbound(bus, "patient");
    const device = await gateways.connect(one, { id: "patient" });
    const { session } = await untilControl(inbound, "opened");
    gateways.nats.kill("SIGSTOP");
    await untilAway(one);
    await expect(gateways.connect(one, { id: "latecomer" })).rejects.toThrow("HTTP 503");
    device.send({ type: "abort" });
    await device.next(isTts("stop"));
    device.send({ type: "listen", state: "start", mode: "auto" });
    for (let n = 0; n < 150; n += 1) device.send(new Uint8Array([0xf8, n]));
    device.send({ type: "ping" });
    await device.next(({ type }) => type === "pong");
    gateways.nats.kill("SIGCONT");
    // Frames that were published before this test's own connection was back are replayed by the gateway.
    const replay = async () => {
      try {
        return await bus.request(channels.replay("one"), { session, from: 2 });
      } catch (error) {
        if (!(error instanceof BusAwayError)) throw error;
        return undefined;
      }
    };
    const answer = await vi.waitFor(
      async () => {
        const given = await replay();
        expect(given?.newest).toBeGreaterThanOrEqual(104);
        return given;
      },
      { timeout: 20_000 },
    );
    const rest = (answer?.frames ?? []).map((bytes) => decodeEnvelope(Inbound, bytes));
    expect(rest.map(({ seq }) => seq)).toEqual(rest.map((_, index) => index + 2));
    expect(rest[0]).toMatchObject({ kind: "control", body: { type: "gap", frames: 50, reason: "bus-away" } });
    expect(rest.filter(({ kind }) => kind === "audio")).toHaveLength(100);
    expect(rest.flatMap(({ kind, body }) => (kind === "control" ? [body.type] : []))).toEqual([
      "gap",
      "abort",
      "listen",
    ]);
  }, 30_000);
});

describe("uplink: memory", () => {
  it("what waits for NATS is charged to the memory budget, and released once NATS has it", async () => {
    const own = await startNatsServer();
    const service = await gateways.start({ VOXBUS_NATS_URL: own.url });
    const devices = await Promise.all([1, 2, 3, 4].map((n) => gateways.connect(service, { id: `waiting-${n}` })));
    const steady = async () => (await readStats(service)).buffered;
    const before = await vi.waitFor(async () => {
      const bytes = await steady();
      await sleep(100);
      expect(await steady()).toBe(bytes);
      return bytes;
    });
    own.kill("SIGSTOP");
    // This is stored, and not acknowledged: the gateway does not know yet that NATS is away.
    const payload = { text: "x".repeat(8000) };
    for (const device of devices) device.send({ type: "mcp", payload });
    await vi.waitFor(async () => expect(await steady()).toBeGreaterThan(before + 4 * 8000));
    await untilAway(service);
    // And this waits.
    const waiting = await steady();
    for (const device of devices) {
      device.send({ type: "mcp", payload });
      for (let n = 0; n < 20; n += 1) device.send(new Uint8Array(1000));
    }
    await vi.waitFor(async () => expect(await steady()).toBeGreaterThan(waiting + 4 * 28_000));
    own.kill("SIGCONT");
    await vi.waitFor(async () => expect((await readStats(service)).waiting).toBe(0), { timeout: 10_000 });
    await gateways.leaveAll();
    await vi.waitFor(async () => expect(await steady()).toBe(0), { timeout: 10_000 });
    await service.stop("quick");
    await own.stop();
  });

  it("a gateway whose memory budget is used up closes those sessions that it cannot publish whole", async () => {
    const own = await startNatsServer();
    const service = await gateways.start({ VOXBUS_NATS_URL: own.url, VOXBUS_MAX_BUFFERED_MB: "1" });
    const devices = await Promise.all(
      Array.from({ length: 12 }, (_, n) => gateways.connect(service, { id: `full-${n}` })),
    );
    own.kill("SIGSTOP");
    await untilAway(service);
    const payload = { text: "x".repeat(15_000) };
    for (const device of devices) for (let n = 0; n < 8; n += 1) device.send({ type: "mcp", payload });
    expect((await Promise.race(devices.map(({ closed }) => closed))).reason).toBe("overloaded");
    expect((await readStats(service)).buffered).toBeLessThanOrEqual(1_048_576);
    own.kill("SIGCONT");
    await gateways.leaveAll();
    await vi.waitFor(async () => expect((await readStats(service)).buffered).toBe(0), { timeout: 10_000 });
    await service.stop("quick");
    await own.stop();
  });
});
