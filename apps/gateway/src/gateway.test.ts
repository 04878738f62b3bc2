import { connect as connectTcp } from "node:net";
import { once } from "node:events";
import { BusAwayError, type Bus } from "@voxbus/bus";
import { watchPresence, type PresenceView } from "@voxbus/presence";
import {
  connectRaw,
  connectTestBus,
  leave,
  openTestDevice,
  startNatsServer,
  type NatsServer,
  type TestDevice,
} from "@voxbus/testing";
import {
  channels,
  decodeEnvelope,
  Inbound,
  type InControl,
  type OutText,
  type Event as SessionEvent,
} from "@voxbus/protocol";
import { startSubscriber, type Running } from "@voxbus/subscriber";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { buildGateway, gatewayProgram } from "./app.ts";

const quiet = { VOXBUS_LOG_LEVEL: "error", VOXBUS_GATEWAY_PORT: "0", VOXBUS_GATEWAY_OPS_PORT: "0" };
let nats: NatsServer;
let bus: Bus;
let view: PresenceView;
let one: Running;
const running: Running[] = [];
const open: TestDevice[] = [];

async function startGateway(env: Record<string, string> = {}): Promise<Running> {
  const started = await startSubscriber(gatewayProgram, buildGateway, { ...quiet, VOXBUS_NATS_URL: nats.url, ...env });
  running.push(started);
  return started;
}

const addressOf = (service = one) => service.addresses["device"] ?? "";

async function connect(id: string, headers: Record<string, string> = {}, options = {}, to = one): Promise<TestDevice> {
  const device = await openTestDevice(to.addresses["device"] ?? "", { id, headers, ...options });
  open.push(device);
  return device;
}

/** Everything that a device's session publishes, waited for by condition. */
function watchInbound(id: string) {
  const frames: Inbound[] = [];
  let arrived: () => void = () => undefined;
  bus.subscribe(channels.inbound(id), (frame) => {
    frames.push(frame);
    arrived();
  });
  return {
    frames,
    async until<T>(find: (frames: readonly Inbound[]) => T | undefined): Promise<T> {
      for (;;) {
        const found = find(frames);
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => (arrived = resolve));
      }
    },
    control(type: InControl["type"]) {
      return this.until((all) => all.find((frame) => frame.kind === "control" && frame.body.type === type));
    },
  };
}

function watchEvents(id: string) {
  const events: SessionEvent[] = [];
  let arrived: () => void = () => undefined;
  bus.subscribe(channels.event(id), (event) => {
    events.push(event);
    arrived();
  });
  return async (match: (event: SessionEvent) => boolean): Promise<SessionEvent> => {
    for (;;) {
      const found = events.find(match);
      if (found) return found;
      await new Promise<void>((resolve) => (arrived = resolve));
    }
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise<void>((resolve) => setTimeout(resolve, 10));
}

async function stats(to = one): Promise<{
  drops: Record<string, number>;
  closes: Record<string, number>;
  refusals: Record<string, number>;
  connections: number;
  nats: boolean;
}> {
  const url = new URL("/ws/stats", (to.addresses["device"] ?? "").replace("ws", "http"));
  return (await (await fetch(url)).json()) as never;
}

const isTts = (state: string) => (message: Record<string, unknown>) =>
  message["type"] === "tts" && message["state"] === state;

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  view = await watchPresence(bus);
  one = await startGateway({ VOXBUS_GATEWAY_ID: "one", VOXBUS_HELLO_TIMEOUT_MS: "400" });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map(leave));
});
afterAll(async () => {
  view.close();
  await Promise.all(running.map((service) => service.stop("quick")));
  await bus.close();
  await nats.stop();
});

describe("gateway", () => {
  it("hello: is answered with all that stock firmware needs, and the device is online", async () => {
    const device = await connect("aa:bb:cc:dd:ee:01", {}, { hello: false });
    const inbound = watchInbound("aa:bb:cc:dd:ee:01");
    await bus.flush();
    device.send({
      type: "hello",
      version: 1,
      features: { mcp: true },
      audio_params: { sample_rate: 16000, frame_duration: 20 },
    });
    expect(await device.next(({ type }) => type === "hello")).toEqual({
      type: "hello",
      transport: "websocket",
      session_id: expect.stringMatching(/^[0-9A-Z]{26}$/),
      audio_params: { format: "opus", sample_rate: 24000, channels: 1, frame_duration: 60 },
    });
    expect(await inbound.control("opened")).toMatchObject({
      seq: 1,
      body: { gateway: "one", protocol: 1, frameDuration: 20, features: { mcp: true } },
    });
    await until(() => view.online("aa:bb:cc:dd:ee:01")?.gateway === "one");
    device.vanish();
    await until(() => view.online("aa:bb:cc:dd:ee:01") === undefined);
  });

  it.each([
    [
      "headers, upper-case MAC",
      "",
      { "Device-Id": "AA:BB:CC:DD:EE:02", Authorization: "Bearer None" },
      "aa:bb:cc:dd:ee:02",
    ],
    ["query of a web page", "?device-id=web_1&client-id=c&authorization=Bearer+t", {}, "web_1"],
    ["query in another case", "?Device-ID=web_2", {}, "web_2"],
  ])("identity: %s", async (_name, query, headers, id) => {
    const device = await openTestDevice(`${one.addresses["device"]}${query}`, { headers });
    open.push(device);
    await until(() => view.online(id) !== undefined);
  });

  it.each([
    ["no id", {}, 400],
    ["*", { "Device-Id": "*" }, 400],
    [">", { "Device-Id": ">" }, 400],
    ["a.b", { "Device-Id": "a.b" }, 400],
    ["65 characters", { "Device-Id": "a".repeat(65) }, 400],
    ["empty", { "Device-Id": "" }, 400],
    ["a space", { "Device-Id": "a b" }, 400],
    ["Protocol-Version 4", { "Device-Id": "a", "Protocol-Version": "4" }, 400],
    ["a page of another origin", { "Device-Id": "a", Origin: "http://evil.example" }, 403],
    ["a foreign name that points here", { "Device-Id": "a", Origin: "http://evil.example", Host: "evil.example" }, 403],
  ])("refused upgrade: %s", async (_name, headers, status) => {
    await expect(openTestDevice(one.addresses["device"] ?? "", { headers })).rejects.toThrow(`HTTP ${status}`);
  });

  it("refused upgrade: a path that is none is 404, and plain HTTP on a device's path too", async () => {
    const base = (one.addresses["device"] ?? "").replace("/xiaozhi/v1/", "/elsewhere");
    await expect(openTestDevice(base, { id: "a" })).rejects.toThrow("HTTP 404");
    expect((await fetch((one.addresses["device"] ?? "").replace("ws", "http"))).status).toBe(404);
  });

  it.each([1, 2, 3] as const)("framing %i: packets go both ways byte-exact", async (version) => {
    const id = `framing-${version}`;
    const device = await connect(id, { "Protocol-Version": String(version) });
    const inbound = watchInbound(id);
    await bus.flush();
    const wire = { 1: "f8fffe", 2: "000200000000000000000bb800000003f8fffe", 3: "00000003f8fffe" }[version];
    device.send(Buffer.from(wire, "hex"));
    const frame = await inbound.until((all) => all.find(({ kind }) => kind === "audio"));
    expect(Buffer.from(frame.body as Uint8Array).toString("hex")).toBe("f8fffe");
    bus.publish(channels.out(id), { kind: "audio", duration: 60, body: Buffer.from("f8fffe", "hex") });
    const back = await device.binary();
    if (version === 2) back.writeUInt32BE(3000, 8);
    expect(back.toString("hex")).toBe(wire);
  });

  it("refused upgrade: a WebSocket request without a proper key is answered and counted by name", async () => {
    const before = (await stats()).refusals["bad-request"] ?? 0;
    const { port } = new URL(one.addresses["ota"] ?? "");
    const socket = connectTcp(Number(port), "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nHost: a\r\nDevice-Id: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"); // prettier-ignore
    const [answer] = (await once(socket, "data")) as [Buffer];
    socket.destroy();
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 [^]*"error":"bad-request"/);
    expect((await stats()).refusals["bad-request"]).toBe(before + 1);
  });

  it.each(["", "Expect: tea\r\n"])("a request without Host, %j: is answered as any other", async (header) => {
    const { port } = new URL(one.addresses["ota"] ?? "");
    const socket = connectTcp(Number(port), "127.0.0.1");
    socket.write(`GET /xiaozhi/ota/ HTTP/1.1\r\nDevice-Id: a.b\r\n${header}\r\n`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    socket.destroy();
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 [^]*bad-device-id/);
  });

  it("framing: a bridge that leaves bytes 0-7 of version 2 empty is understood", async () => {
    const device = await connect("bridge", { "Protocol-Version": "2" });
    const inbound = watchInbound("bridge");
    await bus.flush();
    device.send(Buffer.from("000000000000000000000bb800000002f8ff", "hex"));
    const frame = await inbound.until((all) => all.find(({ kind }) => kind === "audio"));
    expect(Buffer.from(frame.body as Uint8Array).toString("hex")).toBe("f8ff");
  });

  it("framing: raw audio under a version 3 header is recognised by the first frame only", async () => {
    const raw = await connect("raw", { "Protocol-Version": "3" });
    const inbound = watchInbound("raw");
    await bus.flush();
    raw.send(Buffer.from("f8fffefd", "hex"));
    raw.send(Buffer.from("f801", "hex"));
    await inbound.until((all) => (all.filter(({ kind }) => kind === "audio").length === 2 ? true : undefined));
    const strict = await connect("strict", { "Protocol-Version": "3" });
    strict.send(Buffer.from("00000001f8", "hex"));
    const before = (await stats()).drops["bad-frame"] ?? 0;
    strict.send(Buffer.from("000000", "hex"));
    strict.send(Buffer.from("00000009f8", "hex"));
    strict.send({ type: "ping" });
    await strict.next(({ type }) => type === "pong");
    expect((await stats()).drops["bad-frame"]).toBe(before + 2);
  });

  it("bad input: each gets its documented answer, the session goes on and the bystander does not notice", async () => {
    const bystander = await connect("bystander");
    const device = await connect("clumsy");
    const before = (await stats()).drops;
    const inputs: (string | object | Uint8Array)[] = [
      "{not json",
      "[]",
      "null",
      '{"type":7}',
      { type: "listen", state: "dance" },
      { type: "mcp", payload: "text" },
      { type: "dance" },
      { type: "hello" },
      new Uint8Array(),
      new Uint8Array(8193),
    ];
    for (const input of inputs) device.send(input);
    device.send({ type: "ping" });
    await device.next(({ type }) => type === "pong");
    const { drops } = await stats();
    const grown = Object.fromEntries(
      Object.entries(drops).flatMap(([name, total]) =>
        total > (before[name] ?? 0) ? [[name, total - (before[name] ?? 0)]] : [],
      ),
    );
    expect(grown).toEqual({ malformed: 6, "unknown-type": 1, "second-hello": 1, empty: 1, oversize: 1 });
    bystander.send({ type: "ping" });
    await bystander.next(({ type }) => type === "pong");
    expect(bystander.received).toHaveLength(2);
  });

  it("bad input: a body that breaks off, and text that is not UTF-8, harm nobody else", async () => {
    const bystander = await connect("by");
    const url = new URL(one.addresses["ota"] ?? "");
    const socket = connectTcp(Number(url.port), url.hostname);
    socket.write(`POST ${url.pathname} HTTP/1.1\r\nHost: x\r\nDevice-Id: torn\r\nContent-Length: 100\r\n\r\n{`);
    await until(() => socket.bytesWritten > 0);
    bystander.send({ type: "ping" });
    await bystander.next(({ type }) => type === "pong");
    socket.resetAndDestroy();
    const before = (await stats()).closes["invalid_text"] ?? 0;
    const odd = connectRaw("odd", addressOf());
    odd.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]));
    while (((await stats()).closes["invalid_text"] ?? 0) === before);
    odd.destroy();
    bystander.send({ type: "ping" });
    await bystander.next(({ type }) => type === "pong");
  });

  it("bad input: a message over 64 KiB closes with 1009, no hello in time with 4000, a flood with 4004", async () => {
    const big = await connect("big");
    big.send("x".repeat(70_000));
    expect(await big.closed).toMatchObject({ code: 1009 });
    const silent = await connect("silent", {}, { hello: false });
    silent.send(new Uint8Array([0xf8]));
    silent.send({ type: "listen", state: "start" });
    expect(await silent.closed).toEqual({ code: 4000, reason: "hello_timeout" });
    const flood = await connect("flood");
    for (let n = 0; n < 200; n += 1) flood.send({ type: "ping" });
    expect(await flood.closed).toEqual({ code: 4004, reason: "flood" });
    expect((await stats()).drops["before-hello"]).toBeGreaterThanOrEqual(2);
  });

  it("seq: counts what is published, of all kinds together, without gaps; and every frame can be had again", async () => {
    const inbound = watchInbound("counted");
    await bus.flush();
    const device = await connect("counted");
    device.send({ type: "listen", state: "start", mode: "auto" });
    device.send("{malformed");
    for (let n = 0; n < 5; n += 1) device.send(new Uint8Array([0xf8, n]));
    device.send({ type: "listen", state: "detect", text: "computer" });
    device.send({ type: "listen", state: "stop" });
    await inbound.control("stop");
    expect(inbound.frames.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(inbound.frames.flatMap(({ kind, body }) => (kind === "control" ? [body.type] : []))).toEqual([
      "opened",
      "listen",
      "wake",
      "stop",
    ]);
    const session = inbound.frames[0]?.session ?? "";
    const answer = await bus.request(channels.replay("one"), { session, from: 3, to: 7 });
    expect(answer).toMatchObject({ open: true, newest: 9 });
    expect(answer.frames).toHaveLength(5);
    const gone = await bus.request(channels.replay("one"), { session: "nobody", from: 1 });
    expect(gone).toMatchObject({ open: false, frames: [] });
  });

  it("typed text: is echoed, the device speaks, and the paced reply is reported when it was played", async () => {
    const inbound = watchInbound("typist");
    const event = watchEvents("typist");
    await bus.flush();
    const device = await connect("typist");
    device.send({ type: "listen", state: "detect", text: "what time is it" });
    expect(await device.next(({ type }) => type === "stt")).toMatchObject({ text: "what time is it" });
    await device.next(isTts("start"));
    const text = await inbound.until((all) => all.find(({ kind }) => kind === "text"));
    const name = { session: text.session, origin: text.seq, reply: "r", attempt: 1, sentence: 0 };
    const say = (body: OutText, n: number) => bus.publish(channels.out("typist"), { ...name, n, kind: "text", body });
    say({ type: "llm", emotion: "happy" }, 0);
    say({ type: "tts", state: "sentence_start", text: "It is noon." }, 1);
    for (let n = 2; n < 8; n += 1) {
      bus.publish(channels.out("typist"), {
        ...name,
        n,
        kind: "audio",
        duration: 60,
        body: new Uint8Array([n]),
        ...(n === 7 ? { end: "reply" } : {}),
      });
    }
    await device.next(isTts("stop"));
    const kinds = device.received
      .slice(1)
      .map((item) =>
        "binary" in item ? "audio" : item.json["type"] === "tts" ? item.json["state"] : item.json["type"],
      );
    expect(kinds).toEqual(["stt", "start", "llm", "sentence_start", ...Array<string>(6).fill("audio"), "stop"]);
    expect((await event(({ turn }) => turn !== undefined)).turn).toMatchObject({
      origin: text.seq,
      played: [0, 7],
      complete: true,
    });
    expect(await inbound.control("fence")).toMatchObject({ body: { fence: text.seq } });
  });

  it("abort: is answered by tts/stop and not one frame of the turn follows", async () => {
    const inbound = watchInbound("aborter");
    await bus.flush();
    const device = await connect("aborter");
    device.send({ type: "listen", state: "detect", text: "tell me a story" });
    const text = await inbound.until((all) => all.find(({ kind }) => kind === "text"));
    const name = { session: text.session, origin: text.seq, reply: "r", attempt: 1, sentence: 0 };
    const audio = (n: number) =>
      bus.publish(channels.out("aborter"), { ...name, n, kind: "audio", duration: 60, body: new Uint8Array([n]) });
    for (let n = 0; n < 20; n += 1) audio(n);
    await device.binary();
    device.send({ type: "abort", reason: "wake_word_detected" });
    await device.next(isTts("stop"));
    const after = device.received.length;
    for (let n = 20; n < 40; n += 1) audio(n);
    bus.publish(channels.out("aborter"), {
      kind: "text",
      body: { type: "alert", status: "a", message: "b", emotion: "neutral" },
    });
    await device.next(({ type }) => type === "alert");
    expect(device.received.length).toBe(after + 1);
    expect(await inbound.control("abort")).toMatchObject({ body: { reason: "wake_word_detected" } });
  });

  it("takeover: on the same gateway and on another one the newest session wins and the loser is told", async () => {
    const two = await startGateway({ VOXBUS_GATEWAY_ID: "two" });
    const first = await connect("wanderer");
    await until(() => view.online("wanderer")?.gateway === "one");
    const session = view.online("wanderer")?.session;
    const second = await connect("wanderer");
    expect(await first.closed).toEqual({ code: 4001, reason: "replaced" });
    // Of two that come at once either may win; the second one is there before the third comes.
    await until(() => view.online("wanderer")?.session !== session);
    const third = await connect("wanderer", {}, {}, two);
    expect(await second.closed).toEqual({ code: 4001, reason: "replaced" });
    await until(() => view.online("wanderer")?.gateway === "two");
    bus.publish(channels.out("wanderer"), {
      kind: "text",
      body: { type: "alert", status: "a", message: "b", emotion: "neutral" },
    });
    await third.next(({ type }) => type === "alert");
    expect([...view.devices()].filter(([id]) => id === "wanderer")).toHaveLength(1);
    await two.stop("quick");
    expect(await third.closed).toMatchObject({ code: 1012 });
    await until(() => view.online("wanderer") === undefined);
  });

  it("command: disconnect closes exactly the session that is meant", async () => {
    const device = await connect("guest");
    await until(() => view.online("guest") !== undefined);
    bus.publish(channels.command("one"), {
      body: { type: "disconnect", device: "guest", session: "another", reason: "requested" },
    });
    device.send({ type: "ping" });
    await device.next(({ type }) => type === "pong");
    bus.publish(channels.command("one"), { body: { type: "disconnect", device: "guest", reason: "requested" } });
    expect(await device.closed).toEqual({ code: 4002, reason: "disconnected" });
  });

  it("idle: a device that sends nothing is pinged, and closed when not even a pong comes", async () => {
    const short = await startGateway({
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
    expect((await stats(short)).closes).toMatchObject({ heartbeat_timeout: 1 });
  });

  it("NATS away: a device stays connected, an abort silences at once, what it says is published when NATS is back", async () => {
    const inbound = watchInbound("patient");
    await bus.flush();
    const device = await connect("patient");
    const { session } = await inbound.control("opened");
    nats.kill("SIGSTOP");
    while ((await stats()).nats) await new Promise<void>((resolve) => setTimeout(resolve, 20));
    await expect(connect("latecomer")).rejects.toThrow("HTTP 503");
    device.send({ type: "abort" });
    await device.next(isTts("stop"));
    device.send({ type: "listen", state: "start", mode: "auto" });
    for (let n = 0; n < 150; n += 1) device.send(new Uint8Array([0xf8, n]));
    device.send({ type: "ping" });
    await device.next(({ type }) => type === "pong");
    nats.kill("SIGCONT");
    // What was published before this test's own connection was back is had again from the gateway.
    const replay = async () => {
      try {
        return await bus.request(channels.replay("one"), { session, from: 2 });
      } catch (error) {
        if (!(error instanceof BusAwayError)) throw error;
        await new Promise<void>((resolve) => setTimeout(resolve, 50));
        return undefined;
      }
    };
    let answer = await replay();
    while ((answer?.newest ?? 0) < 104) answer = await replay();
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
