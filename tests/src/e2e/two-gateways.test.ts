import { setTimeout as sleep } from "node:timers/promises";
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
const devices: ScriptedDevice[] = [];

beforeAll(async () => {
  system = await launchSystem({ gateways: 2 });
});
afterAll(async () => {
  await Promise.all(devices.map((device) => device.end()));
  await system.close();
});

async function connect(gateway: number, id: string): Promise<ScriptedDevice> {
  const device = await startDevice(system.devices[gateway]!, id);
  devices.push(device);
  return device;
}

async function ask(path: string, body?: object): Promise<{ readonly status: number; readonly body: unknown }> {
  const init = body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(new URL(path, system.monitor), init);
  return { status: response.status, body: await response.json() };
}

/** Waits until the monitor names a gateway for a device, other than `than`. */
async function awaitGateway(id: string, than?: string): Promise<string> {
  for (;;) {
    const { status, body } = await ask(`/api/devices/${id}`);
    const { gateway } = body as { gateway?: string };
    if (status === 200 && gateway !== undefined && gateway !== than) return gateway;
    await sleep(50);
  }
}

test.concurrent(
  "two gateways: devices that talk at once on both get their own answers, complete and in order",
  async () => {
    const speakers = [
      { gateway: 0, id: "left", wav: "samples/sum.wav", text: "what is seven plus five", answer: "That is 12." },
      { gateway: 1, id: "right", wav: "samples/sum-rms.wav", text: "what is nine times eight", answer: "That is 72." },
    ];
    const typists = speakers.map(({ gateway, id }, at) => ({
      gateway,
      id: `${id}-typist`,
      sums: [1, 2, 3].map((left) => ({ text: `what is ${left} plus ${10 * (at + 1)}`, sum: left + 10 * (at + 1) })),
    }));
    await Promise.all([
      ...speakers.map(async ({ gateway, id, wav, text, answer }) => {
        const device = await connect(gateway, id);
        await device.do({ do: "wav", file: wav });
        const turn = await device.turn();
        expect(nameMessages(turn)).toEqual(oneSentenceTurn);
        expect(turn.find(isMessage({ type: "stt" }))?.message).toMatchObject({ text });
        expect(readSentences(turn)).toEqual([answer]);
        expect(turn.filter(isAudio).every(({ played }) => played)).toBe(true);
      }),
      ...typists.map(async ({ gateway, id, sums }) => {
        const device = await connect(gateway, id);
        for (const { text, sum } of sums) {
          await device.do({ do: "text", text });
          const turn = await device.turn();
          expect(nameMessages(turn)).toEqual(oneSentenceTurn);
          expect(turn.find(isMessage({ type: "stt" }))?.message).toMatchObject({ text });
          expect(readSentences(turn)).toEqual([`That is ${sum}.`]);
        }
      }),
    ]);
  },
);

test.concurrent("two gateways: text from the monitor reaches a device on either gateway", async () => {
  const { gateways } = (await ask("/api/gateways")).body as { gateways: { id: string }[] };
  expect(new Set(gateways.map(({ id }) => id)).size).toBe(2);
  const listeners = await Promise.all([connect(0, "near"), connect(1, "far")]);
  const held = await Promise.all([awaitGateway("near"), awaitGateway("far")]);
  expect(new Set(held)).toEqual(new Set(gateways.map(({ id }) => id)));
  for (const [at, id] of ["near", "far"].entries()) {
    const { status, body } = await ask(`/api/devices/${id}/say`, { text: `Dinner is ready, ${id}.` });
    expect(status).toBe(202);
    const hello = listeners[at]!.lines.find(isMessage({ type: "hello" }));
    expect(body).toMatchObject({ session: hello?.message?.["session_id"] });
  }
  for (const [at, id] of ["near", "far"].entries()) {
    const turn = await listeners[at]!.turn();
    expect(nameMessages(turn)).toEqual(oneSentenceTurn.slice(1));
    expect(readSentences(turn)).toEqual([`Dinner is ready, ${id}.`]);
  }
  const offline = await ask("/api/devices/missing/say", { text: "Hello?" });
  expect(offline.status).toBe(404);
  expect((offline.body as { type: string }).type).toContain("device-offline");
});

test.concurrent(
  "two gateways: a device that reconnects to the other one during a reply is online only there, and silent",
  async () => {
    const before = await connect(0, "wanderer");
    const first = await awaitGateway("wanderer");
    await before.do({ do: "text", text: "tell me a long story" });
    await before.next(isAudio);
    const after = await connect(1, "wanderer");
    const closed = await before.next(({ got }) => got === "close");
    expect(closed).toMatchObject({ code: 4001, reason: "replaced" });
    expect(await awaitGateway("wanderer", first)).not.toBe(first);
    const { devices: present } = (await ask("/api/devices")).body as { devices: { id: string; session: string }[] };
    const hello = after.lines.find(isMessage({ type: "hello" }));
    expect(present.filter(({ id }) => id === "wanderer")).toMatchObject([{ session: hello?.message?.["session_id"] }]);

    // No part of the story comes before the answer.
    await after.do({ do: "text", text: "what is one plus one" });
    const turn = await after.turn();
    expect(nameMessages(turn)).toEqual(oneSentenceTurn);
    expect(readSentences(turn)).toEqual(["That is 2."]);
    expect((await ask("/api/devices/wanderer/say", { text: "Welcome back." })).status).toBe(202);
    expect(readSentences(await after.turn())).toEqual(["Welcome back."]);
  },
);
