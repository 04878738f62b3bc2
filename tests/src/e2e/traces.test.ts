import { foreignVariables } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";
import { startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from "./otlp-receiver.ts";
import { isAudio, startDevice, type ScriptedDevice } from "./scripted-device.ts";
import { pathTo } from "./trace-tree.ts";

vi.setConfig({ testTimeout: 60_000 });

/** Words of the turns below that are in no span name. */
// A flag of Node is called --heap-growing-percent.
const content = /volume to|volume is|fifty|(?<!-)percent|nine|times|eight|seventy/i;
const spokenPath = [
  "turn",
  "send device.{id}.in.control.open",
  "asr",
  "send device.{id}.heard",
  "process device.{id}.heard",
  "dialogue",
  "send device.{id}.say.open",
  "process device.{id}.say.open",
  "tts",
  "play-out",
];

let receiver: OtlpReceiver;
let system: LaunchedSystem;
let device: ScriptedDevice;
let typist: ScriptedDevice;
let spoken: readonly ReceivedSpan[];
let typed: readonly ReceivedSpan[];

/** Waits for the trace of the latest turn, until all named spans and all parents have come. */
async function awaitTrace(names: readonly string[], before: readonly ReceivedSpan[] = []) {
  return vi.waitFor(
    () => {
      const turn = receiver.spans.find(({ name, trace }) => name === "turn" && trace !== before[0]?.trace);
      const found = receiver.spans.filter(({ trace }) => trace === turn?.trace);
      const known = new Set(["", ...found.map(({ id }) => id)]);
      expect(names.filter((name) => !found.some((span) => span.name === name))).toEqual([]);
      expect(found.filter(({ parent }) => !known.has(parent)).map(({ name }) => name)).toEqual([]);
      return found;
    },
    { timeout: 15_000, interval: 100 },
  );
}

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  system = await launchSystem({ env: { ...foreignVariables, ...receiver.variables } });
  device = await startDevice(system.devices[0]!, "traced");
  await device.do({ do: "wav", file: "samples/volume.wav" });
  const turn = await device.turn();
  expect(turn.some(isAudio)).toBe(true);
  spoken = await awaitTrace(spokenPath);
  // After speech, the text would count as a wake word.
  typist = await startDevice(system.devices[0]!, "typist");
  await typist.do({ do: "text", text: "what is nine times eight" });
  expect((await typist.turn()).some(isAudio)).toBe(true);
  typed = await awaitTrace(spokenPath.slice(spokenPath.indexOf("dialogue")), spoken);
});
afterAll(async () => {
  await Promise.all([device?.end(), typist?.end()]);
  await system?.close();
  receiver?.close();
});

const only = (spans: readonly ReceivedSpan[], name: string): ReceivedSpan => {
  const found = spans.filter((span) => span.name === name);
  expect(found, name).toHaveLength(1);
  return found[0]!;
};

test("variables of other programs: metrics and logs are not exported, and nothing but the log is printed", () => {
  expect([...receiver.paths]).toEqual(["/v1/traces"]);
  const printed = system.output().split("\n");
  const lines = printed.flatMap((line) => /^(?:gateway|asr|tts|dialogue|monitor) +\| (.*)$/.exec(line)?.[1] ?? []);
  expect(lines.length).toBeGreaterThan(5);
  expect(lines.filter((line) => !line.startsWith("{"))).toEqual([]);
});

test("a spoken turn: it is one tree, from the first frame to the end of play-out, through every program", () => {
  expect(pathTo(spoken, only(spoken, "play-out"))).toEqual(spokenPath);
  const programs = spokenPath.map((name) => only(spoken, name).service.replace("voxbus-", ""));
  expect(programs.join(" ")).toBe("gateway gateway asr asr dialogue dialogue dialogue tts tts gateway");
  const known = new Set(spoken.map(({ id }) => id));
  expect(spoken.filter(({ parent }) => !known.has(parent)).map(({ name }) => name)).toEqual(["turn"]);
  expect(spoken.filter(({ failed }) => failed)).toEqual([]);
});

test("a typed turn: it is one tree without asr", () => {
  const path = pathTo(typed, only(typed, "play-out"));
  const asked = ["turn", "send device.{id}.in.text", "process device.{id}.in.text"];
  expect(path).toEqual([...asked, ...spokenPath.slice(spokenPath.indexOf("dialogue"))]);
  expect(only(typed, "turn").attributes).toMatchObject({ "voxbus.turn.kind": "typed" });
});

test("a listen: its span, which may cover several turns, is linked to the turn's span", async () => {
  const asr = only(spoken, "asr");
  const name = "process device.{id}.in.control.open";
  const listens = () => receiver.spans.filter((span) => span.name === name && span.trace === asr.trace);
  await device.do({ do: "stop" });
  await vi.waitFor(() => expect(listens()).toHaveLength(1), { timeout: 10_000, interval: 100 });
  const [listen] = listens();
  expect(asr.links).toEqual([listen?.id]);
  expect(asr.kind).toBe("consumer");
  expect(listen?.parent).toBe(asr.parent);
});

test("hops: they are PRODUCER and CONSUMER spans with the names and attributes of messaging spans", () => {
  for (const span of spoken.filter(({ name }) => /^(?:send|process) /.test(name))) {
    const [type, template] = span.name.split(" ");
    expect(span.kind).toBe(type === "send" ? "producer" : "consumer");
    expect(span.attributes).toMatchObject({
      "messaging.system": "nats",
      "messaging.operation.type": type,
      "messaging.destination.template": template,
      "messaging.destination.name": template?.replace("{id}", "traced"),
    });
  }
});

test("the model: it is a GenAI chat span, and its tool is an execute_tool span", () => {
  const chat = only(spoken, "chat embedded");
  expect(chat.kind).toBe("client");
  expect(chat.events).toEqual(["first token"]);
  expect(chat.attributes).toMatchObject({
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "voxbus",
    "gen_ai.request.model": "embedded",
  });
  const tool = spoken.find(({ name }) => name.startsWith("execute_tool "));
  expect(tool?.attributes).toMatchObject({
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": "set_volume",
  });
  for (const span of [chat, tool!]) expect(pathTo(spoken, span).at(-2)).toBe("dialogue");
});

test("events and times: onset, end of speech, first token, first sentence and first sound come in this order", () => {
  expect(only(spoken, "asr").events).toEqual(["onset", "end of speech"]);
  expect(only(spoken, "dialogue").events).toEqual(["first sentence"]);
  expect(only(spoken, "tts").events).toEqual(["first sound"]);
  expect(only(spoken, "turn").events).toContain("end of speech");
  const asr = only(spoken, "asr").attributes;
  expect(asr["voxbus.asr.audio_ms"]).toBeGreaterThan(500);
  expect(asr["voxbus.asr.engine_ms"]).toBeGreaterThan(0);
  expect(only(spoken, "turn").attributes["voxbus.turn.first_audio_ms"]).toBeGreaterThan(0);
  const [turn, played] = [only(spoken, "turn"), only(spoken, "play-out")];
  // Each program notes the end by itself; on one machine they agree within some ms.
  expect(Math.abs(turn.end - played.end)).toBeLessThan(50);
});

test("the broker: every message of the turn has the spans of nats-server", () => {
  const senders = spoken.filter(({ kind }) => kind === "producer");
  for (const sender of senders) {
    const [server, ...more] = spoken.filter(({ parent, name }) => parent === sender.id && name.startsWith("nats "));
    expect(more).toEqual([]);
    expect(server?.service).toBe("voxbus-monitor");
    expect(server?.attributes).toMatchObject({ "nats.sender": sender.service.replace("voxbus-", "") });
    const stored = spoken.filter(({ parent }) => parent === server?.id).map(({ name }) => name);
    expect(stored).toEqual([sender.name.includes(".in.") ? "store voxbus_DEVICE_IN" : "store voxbus_TURNS"]);
    // The server has the same clock. It has the message before the sender has its answer; its own work may end later.
    expect(server!.start).toBeGreaterThan(sender.start - 5);
    expect(server!.start).toBeLessThan(sender.end + 5);
    expect(server!.end).toBeGreaterThanOrEqual(server!.start);
  }
  const frames = spoken.filter(({ name }) => name === "deliver gateway");
  expect(frames.map((span) => pathTo(spoken, span).at(-3))).toContain("tts");
});

test("privacy: no span contains words or sound", () => {
  expect(receiver.bodies.some((body) => content.test(body))).toBe(false);
  const values = receiver.spans.flatMap(({ attributes }) => Object.values(attributes).map((value) => String(value)));
  expect(Math.max(...values.map((value) => value.length))).toBeLessThan(100);
});

test("audio: no audio message is in a trace", () => {
  expect(receiver.bodies.some((body) => body.includes(".in.audio"))).toBe(false);
  // Outbound messages are told apart only by their size: text frames with their headers are small, and few.
  expect(spoken.filter(({ name }) => name === "deliver gateway").length).toBeLessThan(8);
});

test("metrics: each program counts its turns", async () => {
  const read = async (program: string) => {
    const ready = new RegExp(`^${program}.*"ops":"([^"]+)"`, "m").exec(system.output())?.[1];
    return (await fetch(`${ready}/metrics`)).text();
  };
  const gateway = await read("gateway");
  expect(gateway).toMatch(/voxbus_gateway_transcript_seconds_count\{[^}]*kind="spoken"[^}]*\} [1-9]/);
  for (const kind of ["spoken", "typed"]) {
    expect(gateway).toMatch(new RegExp(`voxbus_gateway_first_audio_seconds_count\\{[^}]*kind="${kind}"[^}]*\\} 1`));
    expect(gateway).toMatch(new RegExp(`voxbus_gateway_first_sound_seconds_count\\{[^}]*kind="${kind}"[^}]*\\} 1`));
  }
  expect(gateway).toMatch(/voxbus_gateway_connections\{[^}]*state="active"[^}]*\} 2/);
  expect(gateway).toMatch(/voxbus_gateway_playout_frames_total\{[^}]*le="\+Inf"[^}]*\} [1-9]/);
  expect(await read("asr")).toMatch(/voxbus_bus_claim_wait_seconds_count\{[^}]*durable="asr"[^}]*\} [1-9]/);
  expect(await read("dialogue")).toMatch(/voxbus_dialogue_first_token_seconds_count(?:\{[^}]*\})? 2/);
  expect(await read("tts")).toMatch(/voxbus_tts_engine_seconds_count\{[^}]*engine="[^"]+"[^}]*\} [1-9]/);
  expect(await read("monitor")).toMatch(/voxbus_monitor_broker_reports_total(?:\{[^}]*\})? [1-9]/);
});
