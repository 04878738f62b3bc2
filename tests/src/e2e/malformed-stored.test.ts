import { encode } from "@msgpack/msgpack";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { bucketNames, streamNames, subjectsOfStream } from "@voxbus/protocol";
import { startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";
import { isMessage, nameMessages, oneSentenceTurn, readSentences, startDevice } from "./scripted-device.ts";

vi.setConfig({ testTimeout: 90_000 });

let nats: NatsServer;
let client: NatsConnection;
let system: LaunchedSystem;
beforeAll(async () => {
  nats = await startNatsServer();
  client = await connect({ servers: nats.url });
  system = await launchSystem({ env: { VOXBUS_NATS_URL: nats.url } });
});
afterAll(async () => {
  await system.close();
  await client.close();
  await nats.stop();
});

const whole = encode({ v: 1, session: "s", seq: 1, at: 0, kind: "text", body: "what time is it" });
const malformed = [
  ["json", Buffer.from('{"v":1,"kind":"text"}')],
  ["truncated", whole.subarray(0, -1)],
  ["wrong-type", encode({ v: 1, session: 7, seq: "one", kind: [], body: 7, text: {} })],
  ["newer", encode({ v: 2, session: "s", seq: 1, at: 0, kind: "text", body: "what time is it" })],
] as const;

/** The keys of each bucket that a turn of the device reads. */
function listKeys(device: string, session: string): Readonly<Record<(typeof bucketNames)[number], readonly string[]>> {
  return {
    gateways: [`odd-${device}`],
    presence: [`=canary-odd-${device}`, `odd-${device}`],
    profiles: [device, "=default"],
    dialogues: [device],
    tools: [session],
    "tool-calls": [1, 2, 3, 4].flatMap((origin) => [`${session}.${origin}.0`, `${session}.${origin}.1`]),
    reminders: [`${device}.${session}-1-0`],
    devices: [device],
    probes: ["odd"],
    monitor: [`alert.odd.${device}`],
    naks: ["TURNS.tts.odd", "TURNS.dialogue.odd", "DEVICE_IN.asr.odd", "DEVICE_IN.dialogue.odd"],
  };
}

test.concurrent.each(malformed)(
  "malformed: with a stored message (%s) on every subject and bucket key, turns are answered as without it",
  async (id, bad) => {
    await client.request(`$KV.presence.${id}`, bad);
    await client.request(`$KV.devices.${id}`, bad);
    const device = await startDevice(system.devices[0]!, id);
    try {
      const session = String(device.lines.find(isMessage({ type: "hello" }))?.message?.["session_id"]);
      const subjects = streamNames.flatMap(subjectsOfStream).map((subject) => subject.replace("*", id));
      const keys = Object.entries(listKeys(id, session)).flatMap(([bucket, keys]) =>
        keys.map((key) => `$KV.${bucket}.${key}`),
      );
      const put = () => Promise.all([...subjects, ...keys].map((subject) => client.request(subject, bad)));

      await put();
      await device.do({ do: "text", text: "what is nine times eight" });
      expect(readSentences(await device.turn())).toEqual(["That is 72."]);
      await put();
      await device.do({ do: "wav", file: "samples/sum.wav" });
      const turn = await device.turn();
      expect(nameMessages(turn)).toEqual(oneSentenceTurn);
      expect(readSentences(turn)).toEqual(["That is 12."]);
    } finally {
      await device.end();
    }
  },
);
