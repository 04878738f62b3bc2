import type { Bus } from "@voxbus/bus";
import { buckets, channels, stored } from "@voxbus/protocol";
import {
  connectMqtt,
  connectTestBus,
  findFreePort,
  openAudio,
  openTestDevice,
  startModelServer,
  startNatsServer,
  type ModelServer,
  type NatsServer,
  type TestDevice,
} from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";

vi.setConfig({ testTimeout: 90_000 });

let nats: NatsServer;
let bus: Bus;
let model: ModelServer;
let system: LaunchedSystem;
const devices: Pick<TestDevice, "vanish">[] = [];
const mqttPort = await findFreePort();

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  model = await startModelServer({
    chat: ({ messages }) => {
      const last = messages.at(-1);
      if (last?.role === "tool") return [last.content ?? ""];
      if (last?.content?.includes("louder")) return [{ name: "set_volume", args: '{"change":15}' }];
      return [{ name: "set_timer", args: '{"seconds":2,"name":"Tee"}' }];
    },
  });
  const variables = { VOXBUS_LLM_URL: model.url, VOXBUS_LLM_MODEL: "test" };
  const mqtt = { VOXBUS_MQTT_PORT: String(mqttPort), VOXBUS_UDP_PORT: "0" };
  system = await launchSystem({ env: { VOXBUS_NATS_URL: nats.url, ...variables, ...mqtt } });
});
afterAll(async () => {
  for (const device of devices) device.vanish();
  await system?.close();
  await model?.close();
  await bus?.close();
  await nats?.stop();
});

async function connect(id: string, features: object = {}): Promise<TestDevice> {
  const device = await openTestDevice(system.devices[0]!, {
    id,
    hello: { type: "hello", version: 1, transport: "websocket", features },
  });
  devices.push(device);
  return device;
}

/** Resolves with the next sentence that a device shows. */
async function nextSentence(device: TestDevice): Promise<unknown> {
  const { text } = await device.next(({ type, state }) => type === "tts" && state === "sentence_start");
  return text;
}

/** Counts the reminders of devices. */
async function countReminders(...ids: readonly string[]): Promise<number> {
  const bucket = bus.bucket(buckets.reminders);
  const keys = (await Promise.all(ids.map((device) => bucket.ids(device)))).flat();
  const entries = await Promise.all(keys.map((key) => bucket.get(key)));
  return entries.filter((entry) => entry !== undefined).length;
}

test("timers: the built-in assistant sets one and lists it, it rings, and goodbye ends the session", async () => {
  // The assistant speaks English in any case, and the timer the language of the profile.
  await bus.bucket(buckets.profiles).put("hall", { language: "de" });
  const device = await connect("hall");
  const ask = async (text: string) => {
    device.send({ type: "listen", state: "detect", text });
    const answer = await nextSentence(device);
    await device.next(({ type, state }) => type === "tts" && state === "stop");
    return answer;
  };
  expect(await ask("what time is it in Tokyo")).toMatch(/^It is \d+:\d\d [AP]M on .* in Tokyo\.$/);
  expect(await ask("set a timer for 2 seconds")).toBe("The timer for 2 seconds rings in 2 seconds.");
  expect(await nextSentence(device)).toBe("Dein Timer über 2 Sekunden ist abgelaufen.");
  await device.next(({ type, state }) => type === "tts" && state === "stop");
  await vi.waitFor(async () => expect(await countReminders("hall")).toBe(0));
  expect(await ask("list my timers")).toBe("There is no timer and no alarm.");
  expect(await ask("goodbye")).toBe("Goodbye!");
  expect(await device.closed).toMatchObject({ code: 1000, reason: "done" });
});

test("timers: a model sets one with a tool, and it rings in the language of the profile", async () => {
  await bus.bucket(buckets.profiles).put("study", { engines: { llm: "openai" }, language: "de" });
  const device = await connect("study");
  device.send({ type: "listen", state: "detect", text: "Stell einen Timer für Tee auf zwei Sekunden." });
  expect(await nextSentence(device)).toBe("Der Timer Tee klingelt in 2 Sekunden.");
  expect(await nextSentence(device)).toBe("Dein Timer Tee ist abgelaufen.");
});

test("levels: a model makes the device louder with one tool, which uses those of the device", async () => {
  await bus.bucket(buckets.profiles).put("box", { engines: { llm: "openai" } });
  const device = await connect("box", { mcp: true });
  const names = ["self.get_device_status", "self.audio_speaker.set_volume"];
  const calls: unknown[] = [];
  const answer = ({ method, params }: { method: string; params: { name: string; arguments: object } }) => {
    if (method === "initialize") return {};
    if (method === "tools/list") return { tools: names.map((name) => ({ name, inputSchema: { type: "object" } })) };
    calls.push([params.name, params.arguments]);
    const text = params.name === names[0] ? '{"audio_speaker":{"volume":60}}' : "true";
    return { content: [{ type: "text", text }], isError: false };
  };
  const serve = async () => {
    for (;;) {
      const { payload } = await device.next(({ type }) => type === "mcp");
      const request = payload as { id: number } & Parameters<typeof answer>[0];
      device.send({ type: "mcp", payload: { jsonrpc: "2.0", id: request.id, result: answer(request) } });
    }
  };
  serve().catch(() => undefined);
  device.send({ type: "listen", state: "detect", text: "be louder" });
  expect(await nextSentence(device)).toBe("The volume is now 75 percent.");
  expect(calls).toEqual([
    [names[0], {}],
    [names[1], { volume: 75 }],
  ]);
});

test("idle: a timer and what is said to a group or to all are shown to an MQTT device that is idle, and spoken by one that talks and by a WebSocket", async () => {
  const ids = ["porch", "cellar"] as const;
  for (const id of [...ids, "yard"]) await bus.bucket(buckets.profiles).put(id, { group: "outside" });
  const [idle, talking] = await Promise.all(ids.map((id) => connectMqtt({ port: mqttPort, id })));
  devices.push(idle!, talking!);
  const yard = await connect("yard");
  const audio = await openAudio(talking!);
  audio.send(Buffer.from([0x18, 0]));
  // The monitor speaks to those that it knows of.
  await vi.waitFor(async () => {
    const answer = await fetch(new URL("api/devices?group=outside", system.monitor));
    const { devices: outside } = (await answer.json()) as {
      readonly devices: readonly { id: string; audio?: string }[];
    };
    expect(outside.map(({ id }) => id).toSorted()).toEqual(["cellar", "porch", "yard"]);
    expect(outside.find(({ id }) => id === "cellar")).toMatchObject({ audio: "open" });
  });
  const headers = { "content-type": "application/json" };
  const say = (to: string, text: string) => async () => {
    const url = new URL(`api/${to}/say`, system.monitor);
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify({ text }) });
    const { devices: addressed } = (await answer.json()) as { readonly devices: number };
    expect(addressed).toBeGreaterThanOrEqual(3);
  };
  const ring = async () => {
    const dueAt = bus.now();
    const timer = { kind: "timer" as const, ms: 60_000, name: "tea", dueAt };
    for (const device of [...ids, "yard"])
      await bus.bucket(buckets.reminders).put(`${device}.s-1-1`, { device, ...timer });
  };
  for (const [tell, text] of [
    [say("groups/outside", "Come in."), "Come in."],
    [say("fleet", "Come all."), "Come all."],
    [ring, "Your tea timer is done."],
  ] as const) {
    const heard = audio.received.length;
    await tell();
    expect(await idle!.next(({ type }) => type === "alert")).toMatchObject({ message: text });
    const shown = await talking!.next(({ type, state }) => type === "tts" && state === "sentence_start");
    expect(shown).toMatchObject({ text });
    expect(await nextSentence(yard)).toBe(text);
    await yard.next(({ type, state }) => type === "tts" && state === "stop");
    await talking!.next(({ type, state }) => type === "tts" && state === "stop");
    expect(audio.received.length).toBeGreaterThan(heard);
  }
  await vi.waitFor(async () => expect(await countReminders(...ids, "yard")).toBe(0), 10_000);
  expect(idle!.received.filter(({ type }) => type === "tts")).toEqual([]);
  expect(idle!.received.filter(({ type }) => type === "alert")).toHaveLength(3);
  const spoken = yard.received.flatMap((one) => ("json" in one ? [one.json] : []));
  for (const messages of [talking!.received, spoken]) {
    expect(messages.filter(({ type }) => type === "alert")).toEqual([]);
    expect(messages.filter(({ state }) => state === "sentence_start")).toHaveLength(3);
  }
  audio.close();
});

test("kept: announcements for a device that is away are told once at its next hello, although tools and tts are killed", async () => {
  const url = new URL("api/devices/late/say?keep=1h", system.monitor);
  const headers = { "content-type": "application/json" };
  const post = async () => (await fetch(url, { method: "POST", headers, body: '{"text":"From the page."}' })).status;
  // It was never seen.
  expect(await post()).toBe(404);
  const before = await connect("late");
  await vi.waitFor(async () => expect(await bus.bucket(buckets.devices).get("late")).toBeDefined(), 30_000);
  before.vanish();
  await vi.waitFor(async () => expect(await bus.bucket(buckets.presence).get("late")).toBeUndefined(), 30_000);
  const say = { attempt: 1, sentence: 0, last: true, keepMs: 3_600_000 };
  await bus.store(channels.sayOpen("late"), { ...say, reply: "k1", text: "From the bus." }, { id: "k1" });
  const states = async () =>
    (await bus.bucket(buckets.kept).get("late"))?.value?.messages.map(({ state }) => state) ?? [];
  await vi.waitFor(async () => expect(await states()).toEqual(["waiting"]), 30_000);
  expect(await post()).toBe(202);
  // By its id: what is sent again, because its acknowledgement was late, is stored once.
  const told = new Map<string, string>();
  const following = bus.subscribe(stored(channels.sayOpen("late")), ({ text, keepMs, reply }) => {
    if (keepMs === undefined) told.set(reply, text);
  });
  for (const { pid } of system.processes("apps/tools/")) process.kill(pid, "SIGKILL");
  const device = await connect("late");
  const first = nextSentence(device);
  await vi.waitFor(() => expect(told.size).toBe(1), 60_000);
  for (const { pid } of system.processes("apps/tts/")) process.kill(pid, "SIGKILL");
  expect(await first).toBe("From the bus.");
  // If tts was killed in the middle of the first one, its successor begins that again.
  await device.next(
    ({ type, state, text }) => type === "tts" && state === "sentence_start" && text === "From the page.",
  );
  await vi.waitFor(async () => expect(await states()).toEqual(["told", "told"]), { timeout: 60_000, interval: 200 });
  expect([...told.values()]).toEqual(["From the bus.", "From the page."]);
  following.close();
});

test("timers: each rings once and is over, although the program of the tools is killed again and again meanwhile", async () => {
  const ids = Array.from({ length: 12 }, (_, i) => `kitchen-${i}`);
  const told = new Map<string, Set<string>>();
  const following = bus.subscribe(stored(channels.sayOpen("*")), ({ reply }, { device }) => {
    told.set(device, (told.get(device) ?? new Set()).add(reply));
  });
  const all = await Promise.all(ids.map((id) => connect(id)));
  await vi.waitFor(async () => expect(await bus.bucket(buckets.presence).ids()).toEqual(expect.arrayContaining(ids)));
  // They ring one after the other, and the process is killed in the middle of some of them.
  const dueAt = bus.now() + 1000;
  for (const [i, device] of ids.entries())
    await bus
      .bucket(buckets.reminders)
      .put(`${device}.s-1-1`, { device, kind: "timer", ms: 60_000, name: `number ${i}`, dueAt: dueAt + i * 250 });
  for (const at of [2, 5, 8]) {
    const killed = all[at]!.next(({ type, state }) => type === "tts" && state === "start");
    await killed;
    for (const { pid } of system.processes("apps/tools/")) process.kill(pid, "SIGKILL");
  }
  const sentences = await Promise.all(all.map((device) => nextSentence(device)));
  expect(sentences).toEqual(
    ids.map((_, i) => expect.stringMatching(new RegExp(`^Your number ${i} timer is done\\.$`))),
  );
  await vi.waitFor(async () => expect(await countReminders(...ids, "yard")).toBe(0), {
    timeout: 60_000,
    interval: 200,
  });
  expect(ids.map((device) => told.get(device)?.size)).toEqual(ids.map(() => 1));
  following.close();
});
