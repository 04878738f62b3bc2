import { jetstreamManager } from "@nats-io/jetstream";
import { channels, shadowOf, stored, type Heard, type Say } from "@voxbus/protocol";
import { connectTestBus, createInbox } from "@voxbus/testing";
import type { Bus } from "@voxbus/bus";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startGuardedNats, startProgram, type GuardedNats, type StartedProgram } from "./accounts.ts";
import { isMessage, startDevice, type ScriptedDevice } from "./scripted-device.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

let nats: GuardedNats;
let bus: Bus;
let device: ScriptedDevice;
const programs: StartedProgram[] = [];
const heard = createInbox<Heard>();
const shadowHeard = createInbox<Heard>();
const said = createInbox<Say>();
const shadowSaid = createInbox<Say>();

async function start(name: string, user = name, env: Readonly<Record<string, string>> = {}): Promise<StartedProgram> {
  const login = { VOXBUS_NATS_USER: user, VOXBUS_NATS_PASSWORD: nats.passwords[user]! };
  const all = { VOXBUS_NATS_URL: nats.server.url, ...login, ...env };
  const program = await startProgram(`apps/${name}/dist/main.js`, { name, env: all });
  programs.push(program);
  return program;
}

beforeAll(async () => {
  nats = await startGuardedNats();
  const gateway = await start("gateway");
  for (const name of ["asr", "dialogue", "tts"]) await start(name);
  for (const name of ["asr", "dialogue"]) await start(name, "shadow", { VOXBUS_SHADOW: "next" });
  bus = await connectTestBus(nats.server.url, {
    name: "monitor",
    config: { VOXBUS_NATS_USER: "monitor", VOXBUS_NATS_PASSWORD: nats.passwords["monitor"]! },
  });
  bus.subscribe(stored(channels.heard("*")), (message) => heard.put(message));
  bus.subscribe(stored(channels.sayOpen("*")), (message) => said.put(message));
  bus.subscribe(shadowOf(channels.heard("*"), "next"), (message) => shadowHeard.put(message));
  bus.subscribe(shadowOf(channels.sayOpen("*"), "next"), (message) => shadowSaid.put(message));
  await bus.flush();
  device = await startDevice(gateway.addresses["device"]!, "kitchen");
});
afterAll(async () => {
  await device?.end();
  await bus?.close();
  await Promise.all(programs.map((program) => program.end()));
  await nats?.server.stop();
});

test("shadow: it hears and answers like the real program, and no one hears it", async () => {
  const before = await describeStorage();
  for (const sample of ["sum", "hello"]) {
    await device.do({ do: "wav", file: `samples/${sample}.wav` });
    await device.next(isMessage({ type: "tts", state: "stop" }));
    const [real, shadow] = [await heard.take(() => true), await shadowHeard.take(() => true)];
    expect(shadow).toEqual({ ...real, utterance: shadow.utterance });
    const [answer, own] = [await said.take(() => true), await shadowSaid.take(() => true)];
    expect(own).toEqual({ ...answer, attempt: 1 });
  }
  expect(device.lines.filter(isMessage({ type: "tts", state: "start" }))).toHaveLength(2);
  expect(await describeStorage()).toEqual(before);
  for (const { name, output } of programs) expect(output(), name).not.toMatch(/permission denied|"level":(?:50|60)/);
});

/** Lists the durable consumers of the streams: a shadow adds none. */
async function describeStorage(): Promise<readonly string[]> {
  const nc = await nats.connectAs("monitor");
  const jsm = await jetstreamManager(nc, { checkAPI: false });
  const names: string[] = [];
  for (const stream of ["voxbus_DEVICE_IN", "voxbus_TURNS"]) {
    for await (const { name } of jsm.consumers.list(stream)) names.push(`${stream} ${name}`);
  }
  await nc.close();
  return names.toSorted();
}
