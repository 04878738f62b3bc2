import { connectMqtt, findFreePort } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";
import {
  isAudio,
  isMessage,
  nameMessages,
  oneSentenceTurn,
  readSentences,
  startDevice,
  type ScriptedDevice,
} from "./scripted-device.ts";

vi.setConfig({ testTimeout: 60_000 });

let system: LaunchedSystem;
let mqttPort: number;
const devices = new Map<string, ScriptedDevice>();

beforeAll(async () => {
  mqttPort = await findFreePort();
  const env = { VOXBUS_GATEWAY_WORKERS: "2", VOXBUS_GATEWAY_ID: "hall", VOXBUS_MQTT_PORT: String(mqttPort) };
  system = await launchSystem({ env: { ...env, VOXBUS_UDP_PORT: "0" } });
});
afterAll(async () => {
  await Promise.all([...devices.values()].map((device) => device.end()));
  await system.close();
});

async function read<T>(path: string): Promise<T> {
  return (await (await fetch(new URL(path, system.monitor))).json()) as T;
}

/** Connects devices until each gateway process holds one. Resolves with one of each. */
async function connectToBoth(): Promise<readonly ScriptedDevice[]> {
  const found = new Map<string, ScriptedDevice>();
  while (found.size < 2) {
    const id = `device-${devices.size}`;
    const device = await startDevice(system.devices[0]!, id);
    devices.set(id, device);
    const gateway = await vi.waitFor(async () => {
      const { gateway: holder } = await read<{ readonly gateway?: string }>(`/api/devices/${id}`);
      if (holder === undefined) throw new Error(`${id} is not online yet`);
      return holder;
    });
    found.set(gateway, device);
  }
  return [...found.values()];
}

test("gateway processes: both give the sound of an announcement, whichever keeps it", async () => {
  const send = (method: string, path: string, body: object) => {
    const headers = { "content-type": "application/json" };
    return fetch(new URL(path, system.monitor), { method, headers, body: JSON.stringify(body) });
  };
  await send("PATCH", "/api/profiles/devices/listening", { notify: true });
  const device = await connectMqtt({ port: mqttPort, id: "listening" });
  await vi.waitFor(async () => {
    const said = await send("POST", "/api/devices/listening/say", { text: "Dinner is ready." });
    expect(said.status).toBe(202);
  }, 5000);
  const { audio_url: url } = await device.next(({ type }) => type === "notify");
  for (let at = 0; at < 4; at += 1) {
    const answer = await fetch(String(url), { headers: { connection: "close" } });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "audio/ogg"]);
  }
  device.vanish();
  await device.closed;
});

test("gateway processes: the monitor shows both, devices of both are answered, and a drain cuts no sentence", async () => {
  expect(system.devices).toHaveLength(1);
  await vi.waitFor(async () => {
    const { gateways } = await read<{ readonly gateways: readonly { readonly id: string }[] }>("/api/gateways");
    expect(gateways.map(({ id }) => id).toSorted()).toEqual(["hall-1", "hall-2"]);
  });
  const both = await connectToBoth();
  for (const [at, device] of both.entries()) {
    await device.do({ do: "text", text: `what is one plus ${at}` });
    const turn = await device.turn();
    expect(nameMessages(turn)).toEqual(oneSentenceTurn);
    expect(readSentences(turn)).toEqual([`That is ${1 + at}.`]);
  }

  for (const device of both) await device.do({ do: "text", text: "tell me a joke" });
  await Promise.all(both.map((device) => device.next(isAudio)));
  const restarted = system.awaitLine(/gateway restarted/);
  const [parent] = system.processes("apps/gateway/").filter(({ command }) => !command.includes("--worker"));
  process.kill(parent!.pid, "SIGTERM");
  for (const device of both) {
    const { lines } = device;
    const stop = await device.next(isMessage({ type: "tts", state: "stop" }));
    const closed = await device.next(({ got }) => got === "close");
    expect(closed).toMatchObject({ code: 1012, reason: "restart" });
    const joke = lines.slice(0, lines.indexOf(stop));
    expect(joke.filter(isAudio).length * 60).toBeGreaterThan(2000);
    expect(joke.filter(isAudio).every(({ played }) => played)).toBe(true);
  }
  await restarted;
  expect(system.processes("--worker=")).toHaveLength(2);
});
