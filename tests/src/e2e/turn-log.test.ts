import { startModelServer, startNatsServer, type ModelServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startProgram, type LogLine, type StartedProgram } from "./accounts.ts";
import { startDevice, type ScriptedDevice } from "./scripted-device.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

let nats: NatsServer;
let model: ModelServer;
let programs: readonly StartedProgram[] = [];
let device: ScriptedDevice;

beforeAll(async () => {
  nats = await startNatsServer();
  // Every engine fails at every turn.
  model = await startModelServer({ chat: () => 500, transcribe: () => 500, speak: () => 500 });
  const engines = ["ASR", "LLM", "TTS"].flatMap((role) => [
    [`VOXBUS_${role}_ENGINE`, "openai"],
    [`VOXBUS_${role}_URL`, model.url],
  ]);
  const env = { VOXBUS_NATS_URL: nats.url, ...(Object.fromEntries(engines) as Record<string, string>) };
  programs = await Promise.all(
    ["gateway", "asr", "dialogue", "tts"].map((name) => startProgram(`apps/${name}/dist/main.js`, { name, env })),
  );
  device = await startDevice(programs[0]!.addresses["device"]!, "kitchen", "--no-tools");
});
afterAll(async () => {
  await device?.end();
  await Promise.all(programs.map((program) => program.end()));
  await model.close();
  await nats.stop();
});

/** Lines about a session, and those with addresses. They belong to no turn. */
const ofSessions = ["device connected", "device disconnected", "ready"];

test("log: every line about a turn, of every program, names its device, session and turn", async () => {
  await device.do({ do: "wav", file: "samples/time.wav" });
  await device.turn();
  await device.do({ do: "text", text: "what is new" });
  await device.turn();
  const lines = programs.flatMap((program) =>
    program.lines.map((line): LogLine => ({ ...line, program: program.name })),
  );
  const ofTurns = lines.filter(
    (line) =>
      ["device", "session", "turn", "reply"].some((field) => field in line) && !ofSessions.includes(line.msg ?? ""),
  );
  for (const [program, msg] of [
    ["asr", "recognition failed"],
    ["dialogue", "turn failed, apologizing"],
    ["tts", "synthesis failed"],
  ])
    expect(ofTurns).toContainEqual(expect.objectContaining({ program, msg }));
  for (const line of ofTurns) {
    expect(line, JSON.stringify(line)).toMatchObject({ device: "kitchen", session: expect.any(String) });
    expect(line["turn"], JSON.stringify(line)).toEqual(expect.any(Number));
  }
});
