import { EventEmitter, once } from "node:events";
import { createTone } from "@voxbus/testing";
import { afterEach, expect, test, vi } from "vitest";
import type { Identity } from "./connection.ts";
import type { DeviceEvent, DeviceOptions } from "./client.ts";
import { connectDevice } from "./device-client.ts";
import { createDeviceTools } from "./device-tools.ts";
import { answering, encodeTone, startScriptedServer, type ServerScript } from "./test-server.ts";
import { encodeSilence, encodeUtterance } from "./utterance.ts";

const silence = encodeSilence();
const tone = encodeUtterance({ samples: createTone(16_000, 180), sampleRate: 16_000 });
const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

async function connect(
  script: ServerScript,
  { identity, ...options }: Partial<Omit<DeviceOptions, "identity">> & { readonly identity?: Partial<Identity> } = {},
) {
  const server = await startScriptedServer(script);
  undo.push(() => server.stop());
  const events: DeviceEvent[] = [];
  const states = new EventEmitter();
  const device = await connectDevice({
    identity: {
      url: server.url,
      id: "02:00:00:00:00:01",
      clientId: "c0ffee00-0000-4000-8000-000000000001",
      protocol: 1,
      ...identity,
    },
    mode: "auto",
    silence,
    onEvent: (event) => {
      events.push(event);
      if ("got" in event && event.got === "json") states.emit(String(event.message["state"]));
    },
    ...options,
  });
  undo.push(() => device.connection.close("drop"));
  return { device, events, states, server, session: server.sessions[0]! };
}
const tts = (events: readonly DeviceEvent[], state: string) =>
  events.filter((event) => "got" in event && event.got === "json" && event.message["state"] === state).length;

test("device: its headers and its hello are those of a stock device", async () => {
  const { device, session } = await connect(
    {},
    { identity: { token: "secret", protocol: 3 }, tools: createDeviceTools() },
  );
  expect(session.headers).toMatchObject({
    "device-id": "02:00:00:00:00:01",
    "client-id": "c0ffee00-0000-4000-8000-000000000001",
    "protocol-version": "3",
    authorization: "Bearer secret",
  });
  expect(session.headers).not.toHaveProperty("sec-websocket-extensions");
  expect(session.messages).toEqual([
    {
      type: "hello",
      version: 3,
      features: { mcp: true },
      transport: "websocket",
      audio_params: { format: "opus", sample_rate: 16_000, channels: 1, frame_duration: 60 },
    },
  ]);
  expect((await device.serverHello).session_id).toBe("scripted-1");
});

test.each([
  [1, ""],
  [2, "0002000000000000000000000000LLLL"],
  [3, "0000LLLL"],
] as const)("device: version %i framing is byte-exact", async (protocol, header) => {
  const { device, session, events } = await connect({}, { identity: { protocol } });
  device.burst(tone);
  await expect.poll(() => session.frames.length).toBe(3);
  for (const [i, { data }] of session.frames.entries()) {
    const packet = Buffer.from(tone.packets[i]!);
    const length = packet.byteLength.toString(16).padStart(4, "0");
    expect(data.toString("hex")).toBe(header.replace("LLLL", length) + packet.toString("hex"));
  }
  const packet = encodeTone(1)[0]!;
  session.sendPacket(packet);
  await expect.poll(() => events.at(-1)).toMatchObject({ got: "audio", packet: Buffer.from(packet), played: false });
});

test("device: in auto mode it speaks, sends silence until the answer starts, plays it, and listens again", async () => {
  const { device, events, states, session } = await connect(answering);
  const answered = once(states, "sentence_start");
  await device.say(tone);
  await answered;
  expect(device.state).toBe("speaking");
  await device.say(tone);
  await expect.poll(() => tts(events, "stop")).toBe(2);
  const start = { session_id: "scripted-1", type: "listen", state: "start", mode: "auto" };
  await expect.poll(() => session.messages.filter(({ state }) => state === "start")).toEqual([start, start, start]);
  const played = events.filter((event) => "got" in event && event.got === "audio").map((event) => event.played);
  expect(played).toEqual([true, true, true, true, true, true]);
  expect(device.state).toBe("listening");
  // Three of speech, four of noise, one with DTX; then the answer turns the microphone off.
  const first = session.frames.slice(0, 8).map(({ data }) => data.byteLength > 1);
  expect(first).toEqual([true, true, true, true, true, true, true, false]);
});

test("device: it keeps streaming after a Close frame until TCP ends", async () => {
  const { device, session } = await connect({});
  device.listen();
  await expect.poll(() => session.frames.length).toBeGreaterThan(2);
  session.socket.close(1012, "restart");
  const before = session.frames.length;
  await expect.poll(() => session.frames.length).toBeGreaterThan(before + 3);
  expect(device.state).toBe("listening");
  session.socket.terminate();
  await expect.poll(() => [device.state, device.isConnected]).toEqual(["idle", false]);
  device.act("button");
  expect(device.state).toBe("idle");
});

test("device: with the quirk `answerClose` a Close frame is answered", async () => {
  const { device, session } = await connect({}, { quirks: { answerClose: true } });
  session.socket.close(1012, "restart");
  await expect.poll(() => device.isConnected).toBe(false);
  expect(session.socket.readyState).toBe(session.socket.CLOSED);
});

test.each(["use", "always"] as const)(
  "device: with the quirk `reconnect` %j it connects again, and says hello, before it listens",
  async (reconnect) => {
    vi.useFakeTimers({ toFake: ["setTimeout"], shouldAdvanceTime: true, advanceTimeDelta: 100 });
    const { device, session, server } = await connect({}, { quirks: { reconnect } });
    session.socket.terminate();
    await expect.poll(() => device.isConnected).toBe(false);
    expect(server.sessions).toHaveLength(1);
    if (reconnect === "use") device.act("button");
    await expect.poll(() => server.sessions.length, { timeout: 10_000 }).toBe(2);
    await expect.poll(() => device.isConnected).toBe(true);
    if (reconnect === "always") device.act("button");
    expect(device.state).toBe("listening");
    await expect
      .poll(() => server.sessions[1]?.messages.map(({ type, state }) => [type, state].filter(Boolean).join("/")))
      .toEqual(["hello", "listen/start"]);
    vi.useRealTimers();
  },
);

test("device: without a server a reconnect fails, and the device is idle", async () => {
  const { device, server, events } = await connect({}, { quirks: { reconnect: "use" } });
  await server.stop();
  await expect.poll(() => device.isConnected).toBe(false);
  device.act("button");
  expect(device.state).toBe("connecting");
  await expect.poll(() => device.state).toBe("idle");
  expect(events.at(-1)).toMatchObject({ got: "close", reason: "ECONNREFUSED" });
});

test("device: a wake word comes with at most 33 packets in front, or alone where a board is built so", async () => {
  const long = encodeUtterance({ samples: createTone(16_000, 3000), sampleRate: 16_000 });
  const { device, session } = await connect({});
  device.wake({ text: "Hi, ESP", audio: long });
  await expect.poll(() => session.messages.length).toBe(3);
  expect(session.frames).toHaveLength(33);
  expect(session.messages.slice(1)).toMatchObject([
    { type: "listen", state: "detect", text: "Hi, ESP" },
    { type: "listen", state: "start", mode: "auto" },
  ]);
  const small = await connect({}, { quirks: { noWakeAudio: true } });
  small.device.wake({ text: "Hi, ESP", audio: long });
  await expect.poll(() => small.session.messages.length).toBe(2);
  expect(small.session.messages[1]).toMatchObject({ state: "start" });
  expect(small.session.frames).toHaveLength(0);
});

test("device: it listens again only when the answer was played", async () => {
  const { device, session } = await connect({});
  device.listen();
  session.send({ type: "tts", state: "start" });
  for (const packet of encodeTone(5)) session.sendPacket(packet);
  session.send({ type: "tts", state: "stop" });
  await expect.poll(() => device.state).toBe("speaking");
  const spokeAt = performance.now();
  await expect.poll(() => device.state, { interval: 5 }).toBe("listening");
  expect(performance.now() - spokeAt).toBeGreaterThan(200);
});

test("device in realtime mode: one start for the whole connection, whatever is typed, said or aborted", async () => {
  const { device, session, states } = await connect(answering, { mode: "realtime" });
  device.listen();
  const stopped = once(states, "stop");
  device.type("tell me a story");
  await stopped;
  device.abort();
  await device.say(tone);
  const starts = session.messages.filter(({ type, state }) => type === "listen" && state === "start");
  expect(starts).toHaveLength(1);
});

test("device: with the quirk `noRelisten` it is idle after each answer", async () => {
  const { device, events, session } = await connect(answering, { quirks: { noRelisten: true } });
  await device.say(tone);
  await expect.poll(() => tts(events, "stop")).toBe(1);
  expect(device.state).toBe("idle");
  expect(session.messages.filter(({ state }) => state === "start")).toHaveLength(1);
});

test("device: in realtime mode the microphone stays on during the answer", async () => {
  const { device, events, session } = await connect(answering, { mode: "realtime" });
  await device.say(tone);
  await expect.poll(() => tts(events, "stop")).toBe(1);
  const sent = session.frames.length;
  await expect.poll(() => session.frames.length).toBeGreaterThan(sent);
  expect(session.messages.filter(({ state }) => state === "start")).toHaveLength(1);
  expect(device.state).toBe("listening");
});

test("device: in manual mode it sends stop, and after abort it stays speaking until tts/stop", async () => {
  const { device, session } = await connect({
    onMessage: (session, name) => {
      if (name === "listen/stop") session.send({ type: "tts", state: "start" });
      if (name === "abort") session.send({ type: "tts", state: "stop" });
    },
  }, { mode: "manual" }); // prettier-ignore
  await device.say(tone);
  device.act("release");
  await expect.poll(() => device.state).toBe("speaking");
  device.act("button");
  expect(device.state).toBe("speaking");
  await expect.poll(() => device.state).toBe("idle");
  expect(session.messages.at(-1)).toEqual({ session_id: "scripted-1", type: "abort" });
});

test("device: its tools answer initialize, list and call, and ignore requests whose id is not a number", async () => {
  const { session } = await connect({}, { tools: createDeviceTools() });
  const call = (payload: object) => session.send({ type: "mcp", payload: { jsonrpc: "2.0", ...payload } });
  call({ id: 1, method: "initialize", params: {} });
  call({ id: "2", method: "tools/list" });
  call({ method: "notifications/initialized" });
  call({ id: 3, method: "tools/list", params: { cursor: "" } });
  call({ id: 4, method: "tools/call", params: { name: "self.audio_speaker.set_volume", arguments: { volume: 30 } } });
  call({ id: 5, method: "tools/call", params: { name: "self.audio_speaker.set_volume", arguments: { volume: 101 } } });
  call({ id: 6, method: "tools/call", params: { name: "self.get_device_status", arguments: {} } });
  await expect.poll(() => session.messages.length).toBe(6);
  const answers = session.messages.slice(1).map(({ payload }) => payload as Record<string, never>);
  expect(answers.map(({ id }) => id)).toEqual([1, 3, 4, 5, 6]);
  expect(answers[0]).toMatchObject({ result: { protocolVersion: "2024-11-05" } });
  expect(JSON.stringify(answers[1])).toContain("self.screen.set_brightness");
  expect(answers[2]).toMatchObject({ result: { content: [{ type: "text", text: "true" }], isError: false } });
  expect(answers[3]).toEqual({ jsonrpc: "2.0", id: 5, error: { message: "Value is out of range: volume" } });
  expect(JSON.stringify(answers[4])).toContain('\\"volume\\":30');
});

test("device: a refusal is an error with its status, a missing server is `unreachable`", async () => {
  const server = await startScriptedServer({ refuse: true });
  const identity = { url: server.url, id: "a", clientId: "b", protocol: 1 } as const;
  const device = { identity, mode: "auto", silence } as const;
  await expect(connectDevice(device)).rejects.toMatchObject({
    code: "refused",
    status: 401,
    message: "the server refused the connection: 401 no such token",
  });
  await server.stop();
  await expect(connectDevice(device)).rejects.toMatchObject({ code: "unreachable", message: "ECONNREFUSED" });
});

test("device: a close instead of a hello is an error with its code", async () => {
  await expect(
    connect({ greet: false, onMessage: (session) => session.close(1013, "overloaded") }),
  ).rejects.toMatchObject({ code: "closed", status: 1013 }); // prettier-ignore
});
