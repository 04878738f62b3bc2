import { connect as connectTcp } from "node:net";
import type { Bus } from "@voxbus/bus";
import type { PresenceView } from "@voxbus/presence";
import { channels } from "@voxbus/protocol";
import type { Running } from "@voxbus/subscriber";
import { connectRaw } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  addressOf,
  openTestGateways,
  readStats,
  untilControl,
  watchEvents,
  watchInbound,
  type TestGateways,
} from "../test-gateways.ts";

let gateways: TestGateways;
let bus: Bus;
let view: PresenceView;
let one: Running;

beforeAll(async () => {
  gateways = await openTestGateways();
  ({ bus, view } = gateways);
  one = await gateways.start({ VOXBUS_GATEWAY_ID: "one", VOXBUS_HELLO_TIMEOUT_MS: "400" });
});
afterEach(() => gateways.leaveAll());
afterAll(() => gateways.stop());

describe("session", () => {
  it("hello: is answered with all that stock firmware needs, and the device is online", async () => {
    const device = await gateways.connect(one, { id: "aa:bb:cc:dd:ee:01", hello: false });
    const inbound = await watchInbound(bus, "aa:bb:cc:dd:ee:01");
    device.send({
      type: "hello",
      version: 1,
      features: { mcp: true, notes: ["x".repeat(4000)], aec: {} },
      audio_params: { sample_rate: 16000, frame_duration: 20 },
    });
    expect(await device.next(({ type }) => type === "hello")).toEqual({
      type: "hello",
      transport: "websocket",
      session_id: expect.stringMatching(/^[0-9A-Z]{26}$/),
      audio_params: { format: "opus", sample_rate: 24000, channels: 1, frame_duration: 60 },
    });
    const opened = await untilControl(inbound, "opened");
    expect(opened).toMatchObject({ seq: 1, body: { gateway: "one", protocol: 1, frameDuration: 20 } });
    expect(opened).toHaveProperty("body.features", { mcp: true });
    await expect.poll(() => view.online("aa:bb:cc:dd:ee:01")?.gateway).toBe("one");
    expect(view.online("aa:bb:cc:dd:ee:01")?.features).toEqual({ mcp: true });
    device.vanish();
    await expect.poll(() => view.online("aa:bb:cc:dd:ee:01")).toBeUndefined();
  });

  it("mcp: payloads pass in both directions as JSON text that the gateway does not parse", async () => {
    const device = await gateways.connect(one, { id: "talker" });
    const inbound = await watchInbound(bus, "talker");
    device.send('{"type":"mcp","payload": {"id":1.0, "result":{"a":[1, "}"]}} ,"session_id":"x"}');
    expect(await untilControl(inbound, "mcp")).toMatchObject({
      body: { type: "mcp", payload: '{"id":1.0, "result":{"a":[1, "}"]}}' },
    });
    const send = (payload: string) =>
      bus.publish(channels.out("talker"), { kind: "text", body: { type: "mcp", payload } });
    send('{},"type":"system","command":"reboot"');
    send('{"id":2,"method":"tools/list"}');
    const message = await device.next(({ type }) => type !== "hello");
    expect(message).toMatchObject({ type: "mcp", payload: { id: 2, method: "tools/list" } });
    expect(message).toHaveProperty("session_id", expect.stringMatching(/^[0-9A-Z]{26}$/));
  });

  it("bad input: each gets its documented answer, the session goes on and the bystander does not notice", async () => {
    const bystander = await gateways.connect(one, { id: "bystander" });
    const device = await gateways.connect(one, { id: "clumsy" });
    const before = (await readStats(one)).drops;
    const inputs: (string | object | Uint8Array)[] = [
      "{not json",
      "[]",
      "null",
      '{"type":7}',
      { type: "listen", state: "dance" },
      { type: "mcp", payload: "text" },
      { type: "dance" },
      { type: "hello" },
      { type: "abort", reason: [] },
      { type: "abort", reason: null },
      new Uint8Array(),
      new Uint8Array(8193),
    ];
    for (const input of inputs) device.send(input);
    device.send({ type: "ping" });
    await device.next(({ type }) => type === "pong");
    const { drops } = await readStats(one);
    const grown = Object.fromEntries(
      Object.entries(drops).flatMap(([name, total]) =>
        total > (before[name] ?? 0) ? [[name, total - (before[name] ?? 0)]] : [],
      ),
    );
    expect(grown).toEqual({
      malformed: 6,
      "unknown-type": 1,
      "second-hello": 1,
      "odd-field": 1,
      empty: 1,
      oversize: 1,
    });
    bystander.send({ type: "ping" });
    await bystander.next(({ type }) => type === "pong");
    expect(bystander.received).toHaveLength(2);
  });

  it("bad input: a body that breaks off, and text that is not UTF-8, harm no other device", async () => {
    const bystander = await gateways.connect(one, { id: "by" });
    const url = new URL(one.addresses["ota"] ?? "");
    const socket = connectTcp(Number(url.port), url.hostname);
    const head = `POST ${url.pathname} HTTP/1.1\r\nHost: x\r\nDevice-Id: torn\r\nContent-Length: 100\r\n\r\n{`;
    await new Promise((resolve) => socket.write(head, resolve));
    bystander.send({ type: "ping" });
    await bystander.next(({ type }) => type === "pong");
    socket.resetAndDestroy();
    const events = await watchEvents(bus, "odd");
    const odd = connectRaw("odd", addressOf(one));
    odd.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]));
    const end = await events.until((all) => all.find(({ state }) => state === "closed"));
    expect(end.reason).toBe("invalid_text");
    odd.destroy();
    bystander.send({ type: "ping" });
    await bystander.next(({ type }) => type === "pong");
  });

  it("bad input: a message over 64 KiB closes with 1009, no hello in time with 4000, a flood with 4004", async () => {
    const big = await gateways.connect(one, { id: "big" });
    big.send("x".repeat(70_000));
    expect(await big.closed).toMatchObject({ code: 1009 });
    const silent = await gateways.connect(one, { id: "silent", hello: false });
    silent.send(new Uint8Array([0xf8]));
    silent.send({ type: "listen", state: "start" });
    expect(await silent.closed).toEqual({ code: 4000, reason: "hello_timeout" });
    const flood = await gateways.connect(one, { id: "flood" });
    for (let n = 0; n < 500; n += 1) flood.send({ type: "ping" });
    expect(await flood.closed).toEqual({ code: 4004, reason: "flood" });
    expect((await readStats(one)).drops["before-hello"]).toBeGreaterThanOrEqual(2);
  });

  it("takeover: on the same gateway and on another one the newest session wins and the loser is told", async () => {
    const two = await gateways.start({ VOXBUS_GATEWAY_ID: "two" });
    const first = await gateways.connect(one, { id: "wanderer" });
    await expect.poll(() => view.online("wanderer")?.gateway).toBe("one");
    const session = view.online("wanderer")?.session;
    const second = await gateways.connect(one, { id: "wanderer" });
    expect(await first.closed).toEqual({ code: 4001, reason: "replaced" });
    // Of two that come at once either may win; the second one is there before the third comes.
    await expect.poll(() => view.online("wanderer")?.session).not.toBe(session);
    const third = await gateways.connect(two, { id: "wanderer" });
    expect(await second.closed).toEqual({ code: 4001, reason: "replaced" });
    await expect.poll(() => view.online("wanderer")?.gateway).toBe("two");
    bus.publish(channels.out("wanderer"), {
      kind: "text",
      body: { type: "alert", status: "a", message: "b", emotion: "neutral" },
    });
    await third.next(({ type }) => type === "alert");
    expect([...view.devices()].filter(([id]) => id === "wanderer")).toHaveLength(1);
    await two.stop("quick");
    expect(await third.closed).toMatchObject({ code: 1012 });
    await expect.poll(() => view.online("wanderer")).toBeUndefined();
  });

  it("command: disconnect closes exactly the session that is meant", async () => {
    const device = await gateways.connect(one, { id: "guest" });
    await expect.poll(() => view.online("guest")).not.toBeUndefined();
    bus.publish(channels.command("one"), {
      body: { type: "disconnect", device: "guest", session: "another", reason: "requested" },
    });
    device.send({ type: "ping" });
    await device.next(({ type }) => type === "pong");
    bus.publish(channels.command("one"), { body: { type: "disconnect", device: "guest", reason: "requested" } });
    expect(await device.closed).toEqual({ code: 4002, reason: "disconnected" });
  });

  it("idle: a device that sends nothing is pinged, and closed when not even a pong comes", async () => {
    const short = await gateways.start({
      VOXBUS_GATEWAY_ID: "short",
      VOXBUS_PING_MS: "500",
      VOXBUS_SUSPECT_MS: "1000",
      VOXBUS_IDLE_TIMEOUT_MS: "1500",
    });
    const socket = connectRaw("mute", addressOf(short));
    const opcodes: number[] = [];
    socket.on("data", (data) => opcodes.push(...[...data].filter((byte) => byte === 0x89 || byte === 0x88)));
    await new Promise((resolve) => socket.once("close", resolve));
    expect(opcodes).toContain(0x89);
    expect(opcodes).toContain(0x88);
    expect((await readStats(short)).closes).toMatchObject({ heartbeat_timeout: 1 });
  });
});
