import type { Bus } from "@voxbus/bus";
import { createRegistry, type Registry } from "@voxbus/presence";
import { connectTestBus, startNatsServer, loose } from "@voxbus/testing";
import { buckets, channels, type Event, type Heard, type Say } from "@voxbus/protocol";
import { startSubscriber, type Running } from "@voxbus/subscriber";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { buildMonitor, monitor } from "../app.ts";
import { makeStats, speakAs } from "../test-monitor.ts";
import type { DevicesChange, LiveEvents, TurnView } from "./live.ts";

let nats: Awaited<ReturnType<typeof startNatsServer>>;
let bus: Bus;
let gateway: Registry;
let silent: Running;
let telling: Running;
const readers: { close(): void }[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  gateway = await createRegistry(bus, {
    id: "g1",
    address: "http://127.0.0.1:8000",
    load: () => ({ connections: 7, speaking: 1 }),
  });
  [silent, telling] = await Promise.all([start(), start({ VOXBUS_MONITOR_TRANSCRIPTS: "1" })]);
});
afterEach(() => readers.splice(0).forEach((reader) => reader.close()));
afterAll(async () => {
  await Promise.all([silent?.stop("quick"), telling?.stop("quick")]);
  await gateway?.close();
  await bus?.close();
  await nats?.stop();
});

function start(env: Record<string, string> = {}): Promise<Running> {
  return startSubscriber(monitor, buildMonitor, {
    VOXBUS_NATS_URL: nats.url,
    VOXBUS_LOG_LEVEL: "fatal",
    VOXBUS_MONITOR_PORT: "0",
    VOXBUS_MONITOR_OPS_PORT: "0",
    VOXBUS_MONITOR_CALLS_PER_MINUTE: "0",
    ...env,
  });
}

type Told = { readonly [N in keyof LiveEvents]: readonly [N, LiveEvents[N]] }[keyof LiveEvents];

/** Reads a stream of events; `find` resolves with the data of the first event, past or to come, that fits. */
async function read(running: Running, query = "") {
  const left = new AbortController();
  const response = await fetch(`${running.addresses["monitor"]}api/events${query}`, { signal: left.signal });
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const told: Told[] = [];
  const reading = (async () => {
    let rest = "";
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + chunk).split("\n\n");
      rest = blocks.pop()!;
      for (const block of blocks) {
        const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? [];
        if (name !== undefined) told.push([name, JSON.parse(data!)] as unknown as Told);
      }
    }
  })().catch(() => undefined);
  const close = () => left.abort();
  readers.push({ close });
  const find = <N extends keyof LiveEvents>(name: N, fits: (data: LiveEvents[N]) => boolean = () => true) =>
    vi.waitFor(
      () => {
        const found = told.find(([one, data]) => one === name && fits(data as LiveEvents[N]));
        if (!found) throw new Error(`no ${name} came that fits: ${JSON.stringify(told)}`);
        return found[1] as LiveEvents[N];
      },
      { timeout: 5000, interval: 20 },
    );
  return { told, find, close, reading };
}

const enter = async (device: string) => {
  const session = `s-${device}`;
  const presence = { session, since: 1, remote: "10.0.0.1", protocol: 1, features: {}, state: "active" as const };
  await gateway.enter(device, presence, AbortSignal.timeout(5000));
  return session;
};

/** One turn of a device as its programs publish it. */
async function haveTurn(device: string, session: string): Promise<void> {
  const heard: Heard = {
    session,
    listen: 1,
    utterance: 1,
    from: 2,
    origin: 9,
    text: "what time",
    language: "en",
    engine: "ears",
  };
  const place = { session, origin: 9, reply: "r1", attempt: 1, sentence: 0 };
  const say: Say = { ...place, text: "It is late.", last: true, engine: "brain" };
  const played = { fenced: 1, dropped: 0, late: 2, firstAudio: 321, engine: "voice" };
  const turn = { origin: 9, reply: "r1", complete: true, ...played };
  const event: Event = { session, at: Date.now(), gateway: "g1", turn };
  await bus.store(channels.heard(device), heard);
  await bus.store(channels.sayOpen(device), say);
  bus.publish(channels.event(device), event);
}

test("live: a new stream begins with hello, the online devices, and the numbers", async () => {
  await enter("early");
  const { find } = await read(silent);
  expect(await find("hello")).toEqual({
    transcripts: false,
    gateways: [{ gateway: "g1", address: "http://127.0.0.1:8000" }],
    assistant: "embedded",
    token: { scope: "admin" },
    thresholds: expect.objectContaining({ memory: 1024e6, cpu: 80 }),
  });
  await find("devices", ({ reset }: DevicesChange) => reset === true);
  expect(await find("devices", ({ put }) => put.some(({ id }) => id === "early"))).toBeTruthy();
  const { programs, bus } = await find("numbers");
  const others = programs.filter(({ name }) => name !== "monitor");
  expect(others).toMatchObject([{ name: "gateway", id: "g1", health: "ok", connections: 7, speaking: 1 }]);
  expect(bus.connected).toBe(true);
});

test("live: a device that comes, has a turn and goes is in the stream", async () => {
  const { find } = await read(silent);
  const session = await enter("d1");
  await find("devices", ({ put }) => put.some(({ id, last }) => id === "d1" && last === undefined));
  await haveTurn("d1", session);
  const { put } = await find("devices", ({ put }) => put.some(({ id, last }) => id === "d1" && last !== undefined));
  expect(put.find(({ id }) => id === "d1")?.last).toEqual({
    at: expect.any(Number),
    outcome: "played",
    thought: expect.any(Number),
    sound: 321,
  });
  const counted = await find("numbers", ({ rates }) => rates.played > 0);
  expect(counted.latencies.sound).toMatchObject({ p50: 321, p99: 321 });
  await gateway.leave("d1", session);
  await find("devices", ({ gone }) => gone.includes("d1"));
});

test.each([
  ["silent", undefined, undefined],
  ["telling", "what time", ["It is late."]],
] as const)(
  "live: a device's turn is sent as it goes on, with transcripts only if they are switched on (%s)",
  async (which, heard, said) => {
    const device = `turning-${which}`;
    const session = await enter(device);
    const { find, told } = await read(which === "silent" ? silent : telling, `?device=${device}`);
    await find("device", (change) => change.device?.session === session);
    await haveTurn(device, session);
    const turn = await find("turn", ({ outcome }) => outcome === "played");
    expect(turn).toMatchObject({ id: `${session}:9`, origin: 9, sentences: 1, fenced: 1, late: 2 });
    expect(turn.engines).toEqual({ asr: "ears", llm: "brain", tts: "voice" });
    expect({ heard: turn.heard, said: turn.said }).toEqual({ heard, said });
    expect(turn.soundAt! - turn.heardAt!).toBe(321);
    expect(told.filter(([name]) => name === "turn").length).toBeGreaterThanOrEqual(3);
    expect(JSON.stringify(told).includes("It is late")).toBe(which === "telling");
  },
);

test("live: what was not heard, had no words or failed is shown under its own name", async () => {
  const session = await enter("outcomes");
  const { find } = await read(silent, "?device=outcomes");
  await find("device", (change) => change.device?.session === session);
  const place = { session, listen: 1, utterance: 1, from: 2, language: "en" };
  await bus.store(channels.heard("outcomes"), { ...place, origin: 5, text: "", reason: "nothing-heard" });
  const unheard = await find("turn", ({ origin }) => origin === 5);
  expect(unheard).toMatchObject({ outcome: "nothing-heard", endedAt: expect.any(Number) as number });
  const turn = { reply: "r", complete: true, fenced: 0, dropped: 0, late: 0 };
  for (const [origin, reason] of [
    [6, "nothing-to-say"],
    [7, "failed"],
  ] as const) {
    bus.publish(channels.event("outcomes"), { session, at: 1, gateway: "g1", turn: { ...turn, origin, reason } });
    expect(await find("turn", (turn) => turn.origin === origin)).toMatchObject({ outcome: reason });
  }
  const fleet = await read(silent);
  expect(await fleet.find("numbers", ({ rates }) => rates.failed > 0)).toBeTruthy();
});

test("live: a stream that starts late has the earlier turns", async () => {
  const session = await enter("past");
  const first = await read(silent, "?device=past");
  await haveTurn("past", session);
  await first.find("turn", ({ outcome }: TurnView) => outcome === "played");
  const { find } = await read(silent, "?device=past");
  expect(await find("turn")).toMatchObject({ outcome: "played", sentences: 1 });
});

test("live: the speech of a watched device is timed by its own frames", async () => {
  const session = await enter("speaker");
  const { find } = await read(silent, "?device=speaker");
  await find("device");
  await bus.flush();
  // The subscription stands once its first frame is told of.
  const control = { session, at: 1, kind: "control" };
  bus.publish(loose(channels.inControl("speaker")), { ...control, seq: 1, body: { type: "abort" } });
  await find("activity", ({ kind }) => kind === "abort");
  const audio = { session, at: 1, kind: "audio", body: Uint8Array.of(1, 2, 3) };
  for (let seq = 2; seq <= 9; seq++) bus.publish(loose(channels.inAudio("speaker")), { ...audio, seq });
  await haveTurn("speaker", session);
  const { speech } = await find("turn", (turn) => turn.speech !== undefined);
  expect(speech!.to).toBeGreaterThanOrEqual(speech!.from);
});

test("live: a program that stops ends its streams at once", async () => {
  const short = await start();
  const { find, reading } = await read(short);
  await find("hello");
  const began = performance.now();
  await short.stop("quick");
  await reading;
  expect(performance.now() - began).toBeLessThan(1500);
});

test.each([
  ["language", "xx-invalid-", "language"],
  ["language", "constructor", "language"],
  ["timeZone", "Mars/Base", "timeZone"],
  ["timeZone", "toString", "timeZone"],
  ["group", "a.b", "group"],
  ["group", ">", "group"],
  ["engines", { asr: "" }, "engines.asr"],
  ["engines", { tts: "*" }, "engines.tts"],
  ["engines", { llm: "x".repeat(65) }, "engines.llm"],
  ["voice", 7, "voice"],
])("profile: the %s %j is refused, naming the field", async (field, value, named) => {
  const url = `${silent.addresses["monitor"]}api/devices/odd/profile`;
  const headers = { "content-type": "application/json", "if-match": '"0"' };
  const response = await fetch(url, { method: "PUT", headers, body: JSON.stringify({ [field]: value }) });
  expect(await response.json()).toMatchObject({ type: "/problems/bad-field", errors: [{ field: named }] });
});

test("profile: own fields are kept apart from the defaults, and a change names its revision", async () => {
  const url = `${silent.addresses["monitor"]}api/devices/lamp/profile`;
  const put = async (body: object, revision?: string) => {
    const headers = { "content-type": "application/json", ...(revision === undefined ? {} : { "if-match": revision }) };
    const response = await fetch(url, { method: "PUT", headers, body: JSON.stringify(body) });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  expect(await (await fetch(url)).json()).toMatchObject({ revision: 0, own: {}, profile: { language: "en", lead: 2 } });
  expect(await put({ lead: 1 })).toMatchObject({ status: 428, body: { type: "/problems/revision-missing" } });
  expect(await put({ lead: 1 }, "*")).toMatchObject({ status: 428 });
  const first = await put({ lead: 1 }, '"0"');
  expect(first).toMatchObject({ status: 200, body: { own: { lead: 1 }, profile: { language: "en", lead: 1 } } });
  expect((await put({ lead: 3 }, '"0"')).body).toMatchObject({ type: "/problems/revision-conflict", status: 409 });
  expect((await put({ lead: 4 }, '"0"')).body).toMatchObject({
    type: "/problems/bad-field",
    errors: [{ field: "lead" }],
  });
  expect((await put({ colour: 1 }, '"0"')).body).toMatchObject({ type: "/problems/bad-field" });
  await bus.bucket(buckets.profiles).put("=default", { language: "zh-CN" });
  expect(await put({ lead: 0 }, String(first.body["revision"]))).toMatchObject({
    status: 200,
    body: { own: { lead: 0 }, profile: { language: "zh-CN", lead: 0 } },
  });
});

test("live: a process that reacts to its load is shown with the cause", async () => {
  const told = {
    paused: makeStats("g7", { gauges: { claimsPaused: 1 }, rss: 2e9, loopDelay: 300 }),
    refusing: makeStats("g8", { gauges: { refusing: 1, claimsPaused: 0 }, loopDelay: 300 }),
    calm: makeStats("g9", { gauges: { refusing: 0, claimsPaused: 0 }, loopDelay: 300 }),
  };
  const speaking = speakAs(bus, () => Object.values(told));
  try {
    const { find } = await read(silent);
    const { programs } = await find("numbers", ({ programs }) => programs.some(({ id }) => id === "g9"));
    const reactionOf = (id: string) => programs.find((program) => program.id === id)?.reaction;
    expect(reactionOf("g7")).toEqual({ kind: "paused", cause: "memory" });
    expect(reactionOf("g8")).toEqual({ kind: "refusing", cause: "loop-delay" });
    expect(reactionOf("g9")).toBeUndefined();
  } finally {
    speaking.close();
  }
});
