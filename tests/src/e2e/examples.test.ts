import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startProgram, type StartedProgram } from "./accounts.ts";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";
import { isAudio, isMessage, readSentences, startDevice, type ScriptedDevice } from "./scripted-device.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let nats: NatsServer;
let system: LaunchedSystem;
let folder: string;
let captions: StartedProgram;
let recorder: StartedProgram;
const others: StartedProgram[] = [];
const devices: ScriptedDevice[] = [];

const sentence = (text: string) => isMessage({ type: "tts", state: "sentence_start", text });

async function start(name: string, env: Readonly<Record<string, string>> = {}) {
  const common = { VOXBUS_NATS_URL: nats.url, VOXBUS_LOG_LEVEL: "info" };
  return startProgram(`examples/${name}/dist/main.js`, { name, env: { ...common, ...env } });
}

async function setProfile(device: string, profile: object) {
  const answer = await fetch(new URL(`/api/devices/${device}/profile`, system.monitor), {
    method: "PUT",
    headers: { "if-match": '"0"', "content-type": "application/json" },
    body: JSON.stringify(profile),
  });
  expect(answer.status).toBe(200);
}

async function connect(gateway: number, id: string, ...args: readonly string[]) {
  const device = await startDevice(system.devices[gateway]!, id, ...args);
  devices.push(device);
  return device;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "voxbus-examples-"));
  nats = await startNatsServer();
  system = await launchSystem({ gateways: 2, env: { VOXBUS_NATS_URL: nats.url } });
  await setProfile("study", { group: "upstairs" });
  for (const device of ["kitchen", "hall"]) await setProfile(device, { engines: { llm: "none" } });
  captions = await start("captions");
  recorder = await start("recorder", { VOXBUS_RECORDER_DIR: join(folder, "recordings") });
});
afterAll(async () => {
  await Promise.all(devices.map((device) => device.end()));
  await Promise.all([captions, recorder, ...others].map((program) => program?.end()));
  await system?.close();
  await nats?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("captions and recorder: a spoken question and its answer are shown, and are on disk with the sound", async () => {
  const device = await connect(0, "study");
  await device.do({ do: "wav", file: "samples/sum.wav" });
  expect(readSentences(await device.turn())).toEqual(["That is 12."]);
  await vi.waitFor(() => {
    expect(captions.output()).toMatch(/^study +> what is seven plus five$/m);
    expect(captions.output()).toMatch(/^study +< That is 12\.$/m);
  });
  expect(await captions.end()).toBe(0);
  const recordings = join(folder, "recordings", "study");
  await vi.waitFor(() => expect(readdirSync(recordings).join()).toMatch(/\.json/));
  const read = (ending: string) =>
    readFileSync(
      join(
        recordings,
        readdirSync(recordings).find((name) => name.endsWith(ending))!,
      ),
    );
  await vi.waitFor(() => {
    const [turn] = JSON.parse(read(".json").toString()) as readonly { audio: readonly { toMs: number }[] }[];
    expect(turn).toMatchObject({ text: "what is seven plus five", answer: "That is 12.", outcome: "played" });
    expect(turn!.audio[0]!.toMs).toBeGreaterThan(1000);
  });
  expect(await recorder.end()).toBe(0);
  const sound = read(".opus");
  expect(sound.indexOf("OggS\0\x02")).toBe(0);
  expect(sound.indexOf("OpusHead")).toBeLessThan(sound.indexOf("OpusTags"));
  // The last page is marked as such.
  expect(sound.lastIndexOf("OggS\0\x04")).toBe(sound.lastIndexOf("OggS"));
  for (const text of ["seven", "That is"]) expect(recorder.output()).not.toContain(text);
});

test("intercom: two devices on two gateways talk after a yes, until the button hangs up", async () => {
  others.push(await start("intercom"));
  const kitchen = await connect(0, "kitchen", "--mode", "realtime");
  const hall = await connect(1, "hall", "--mode", "realtime");
  // The gateway answers a device's hello before its presence is stored.
  await vi.waitFor(
    async () => {
      await kitchen.do({ do: "text", text: "call hall" });
      expect(readSentences(await kitchen.turn())).toEqual(["I am calling hall."]);
    },
    { timeout: 20_000 },
  );
  await hall.next(sentence("kitchen is calling. Do you want to talk?"));
  await hall.next(isMessage({ type: "tts", state: "stop" }));
  await hall.do({ do: "text", text: "yes" });
  await kitchen.next(isMessage({ type: "alert", message: "hall is on the line." }));
  await kitchen.do({ do: "wav", file: "samples/joke.wav", wait: false });
  await hall.next(isMessage({ type: "tts", state: "start" }));
  await hall.next((line) => isAudio(line) && line.played === true);
  await hall.next(isMessage({ type: "tts", state: "stop" }));
  await hall.do({ do: "abort" });
  await kitchen.next(sentence("hall has hung up."));
});

test("announcer: the devices of the group speak at the minute of the plan", async () => {
  // At least some seconds ahead, so that the program is ready.
  const at = new Date(Date.now() + 65_000 - ((Date.now() + 5000) % 60_000)).toISOString().slice(0, 16);
  const plan = join(folder, "plan.json");
  writeFileSync(plan, JSON.stringify([{ at, timeZone: "UTC", group: "upstairs", text: "Dinner is ready." }]));
  others.push(await start("announcer", { VOXBUS_ANNOUNCER_PLAN: plan }));
  const [study] = devices;
  await vi.waitFor(() => expect(study!.lines.some(sentence("Dinner is ready."))).toBe(true), {
    timeout: 100_000,
    interval: 500,
  });
  expect(new Date().toISOString().slice(0, 16) >= at).toBe(true);
});
