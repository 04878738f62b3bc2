import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startProgram, type StartedProgram } from "../e2e/accounts.ts";
import { isAudio, isMessage, readSentences, startDevice, type ScriptedDevice } from "../e2e/scripted-device.ts";
import { startPageNats, type PageNats } from "./page-nats.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

let nats: PageNats;
let intercom: StartedProgram | undefined;
const ours: StartedProgram[] = [];
const devices: ScriptedDevice[] = [];

beforeAll(async () => {
  nats = await startPageNats("examples/intercom/README.md");
  ours.push(...(await Promise.all([nats.startOwn("gateway"), nats.startOwn("tts")])));
  const observer = await connect({ servers: nats.server.url, user: "observer", pass: nats.password });
  for (const device of ["kitchen", "hall"])
    await observer.request(`$KV.voxbus_profiles.${device}`, '{"engines":{"llm":"none"}}');
  await observer.close();
});
afterAll(async () => {
  await Promise.all(devices.map((device) => device.end()));
  await intercom?.end();
  await Promise.all(ours.map((program) => program.end()));
  await nats?.server.stop();
});

test("intercom: a call under the user of its page, and NATS denies nothing", async () => {
  const env = { VOXBUS_NATS_URL: nats.server.url, VOXBUS_NATS_USER: "intercom", VOXBUS_NATS_PASSWORD: nats.password };
  intercom = await startProgram("examples/intercom/dist/main.js", { name: "intercom", env });
  const open = async (id: string) => {
    const device = await startDevice(ours[0]!.addresses["device"]!, id, "--mode", "realtime");
    devices.push(device);
    return device;
  };
  const [kitchen, hall] = [await open("kitchen"), await open("hall")];
  // The gateway answers a device's hello before its presence is stored.
  await vi.waitFor(
    async () => {
      await kitchen.do({ do: "text", text: "call hall" });
      expect(readSentences(await kitchen.turn())).toEqual(["I am calling hall."]);
    },
    { timeout: 20_000 },
  );
  await hall.next(
    isMessage({ type: "tts", state: "sentence_start", text: "kitchen is calling. Do you want to talk?" }),
  );
  await hall.next(isMessage({ type: "tts", state: "stop" }));
  await hall.do({ do: "text", text: "yes" });
  await kitchen.next(isMessage({ type: "alert", message: "hall is on the line." }));
  await kitchen.do({ do: "wav", file: "samples/time.wav", wait: false });
  await hall.next(isMessage({ type: "tts", state: "start" }));
  await hall.next(isAudio);
  expect(await intercom.end()).toBe(0);
  const denied = intercom.lines.filter(({ msg }) => msg === "NATS permission denied");
  expect(denied.map(({ operation, subject }) => `${String(operation)} ${String(subject)}`)).toEqual([]);
});
