import { setTimeout as sleep } from "node:timers/promises";
import { encode } from "@msgpack/msgpack";
import { z } from "zod";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { startNatsServer, type NatsServer } from "@voxbus/testing";
import { encodeEnvelope } from "@voxbus/protocol";
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

const victim = "victim";
let nats: NatsServer;
let client: NatsConnection;
let system: LaunchedSystem;
let gateway: string;
const devices: ScriptedDevice[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
  client = await connect({ servers: nats.url });
  system = await launchSystem({ env: { VOXBUS_NATS_URL: nats.url } });
  const listed = (await (await fetch(new URL("/api/gateways", system.monitor))).json()) as {
    gateways: { id: string }[];
  };
  gateway = listed.gateways[0]!.id;
});
afterAll(async () => {
  await Promise.all(devices.map((device) => device.end()));
  await system.close();
  await client.close();
  await nats.stop();
});

async function enter(id: string): Promise<ScriptedDevice> {
  const device = await startDevice(system.devices[0]!, id, "--no-tools");
  devices.push(device);
  return device;
}

/** Bytes that are not MessagePack, not a map, without a version, or of a newer one. */
const malformed = [
  new Uint8Array(),
  new Uint8Array([0xc1]),
  new Uint8Array(100_000).fill(0xff),
  Buffer.from('{"v":1,"kind":"text"}'),
  // A map that announces 2^32 - 1 entries, and an array nested deeper than the stack.
  new Uint8Array([0xdf, 0xff, 0xff, 0xff, 0xff]),
  new Uint8Array(200_000).fill(0x91),
  ...[[], {}, { v: 0 }, { v: 2, kind: "text" }, { v: "1" }].map((one) => encode(one)),
];

/** Lists well-formed envelopes with bad contents, by subject. */
function listOdd(session: string): Readonly<Record<string, readonly object[]>> {
  const inbound = { session, at: 0 };
  const name = { reply: "r", attempt: 1, sentence: 0, n: 0 };
  const say = { session, origin: 1, reply: "odd", attempt: 1, sentence: 0, text: "Odd.", last: true };
  const heard = { session, listen: 1, utterance: 1, from: 1, origin: 1, text: "", language: "en" };
  return {
    [`device.${victim}.out`]: [
      { kind: "audio", duration: 60, body: "no bytes" },
      { kind: "audio", duration: 1e9, body: new Uint8Array([1]) },
      { kind: "text", body: { type: "tts", state: "dance" } },
      { kind: "text", body: null },
      { session, kind: "control", body: { type: "fence", seq: 1e12 } },
      { session, ...name, origin: 1e12, kind: "audio", duration: 60, body: new Uint8Array([1]) },
      { session, ...name, n: -1, origin: 1, kind: "audio", duration: 60, body: new Uint8Array([1]) },
      { session: "another", kind: "text", body: { type: "stt", text: "another's" } },
      { session: "a.b", kind: "text", body: { type: "stt", text: "nobody's" } },
    ],
    [`device.${victim}.heard`]: [
      { ...heard, text: 7 },
      { ...heard, origin: -1, text: "what time is it" },
      { ...heard, session: "gone", text: "what time is it" },
    ],
    [`device.${victim}.say.open`]: [
      { ...say, text: ["Odd."] },
      { ...say, attempt: 0 },
      { ...say, session: "gone" },
    ],
    [`device.${victim}.in.control.open`]: [
      { ...inbound, seq: 1, kind: "control", body: { type: "listen", mode: "dance", gateway } },
      { ...inbound, seq: 0, kind: "control", body: { type: "listen", mode: "auto", gateway } },
      { ...inbound, seq: 1, kind: "control", body: { type: "abort" } },
      { ...inbound, session: "gone", seq: 1, kind: "control", body: { type: "listen", mode: "auto", gateway } },
    ],
    [`device.${victim}.in.text`]: [
      { ...inbound, seq: 1, kind: "text", body: 7 },
      { ...inbound, session: "gone", seq: 1, kind: "text", body: "what time is it" },
    ],
    [`device.${victim}.in.control`]: [{ ...inbound, seq: 1, kind: "control", body: { type: "mcp", payload: {} } }],
    [`device.${victim}.event`]: [{ session, at: 0, gateway, turn: { played: [0] } }],
    [`gateway.${gateway}.command`]: [
      { body: { type: "dance" } },
      { body: { type: "disconnect", device: victim, session: "another", reason: "requested" } },
    ],
    [`gateway.${gateway}.replay`]: [{ session, from: -5 }],
    "fleet.out": [{ kind: "audio", duration: 60, body: 7 }],
  };
}

test("bad input on the bus: it is refused, no program ends, and another device's turn goes on", async () => {
  const [bystander, target] = await Promise.all([enter("bystander"), enter(victim)]);
  const session = String(target.lines.find(isMessage({ type: "hello" }))?.message?.["session_id"]);
  const pids = system.processes().map(({ pid }) => pid);
  await bystander.do({ do: "text", text: "tell me a long story" });
  await bystander.next(isMessage({ type: "tts", state: "sentence_start" }));
  const began = await bystander.next(isAudio);

  const sent: Record<string, number> = {};
  for (const [subject, odd] of Object.entries(listOdd(session))) {
    const messages = [...malformed, ...odd.map((one) => encode({ v: 1, ...one }))];
    for (const message of messages) client.publish(subject, message);
    sent[subject] = messages.length;
  }
  client.publish("device.a.b.out", encodeEnvelope(z.any(), { kind: "text", body: { type: "stt", text: "?" } }));
  await client.flush();
  const delivered = await awaitWorkers();
  // Refused messages must not be delivered again.
  for (const [subject, count] of Object.entries(delivered)) expect(count, subject).toBeLessThan(1.5 * sent[subject]!);

  await bystander.next(isMessage({ type: "tts", state: "sentence_start" }));
  const later = await bystander.next(isAudio);
  const meanwhile = nameMessages(bystander.lines.slice(bystander.lines.indexOf(began), bystander.lines.indexOf(later)));
  expect(new Set(meanwhile)).toEqual(new Set(["audio", "tts/sentence_start"]));

  // The target itself noticed nothing, and gets an answer.
  await target.do({ do: "wav", file: "samples/sum.wav" });
  const answered = await target.turn();
  expect(nameMessages(answered)).toEqual(oneSentenceTurn);
  expect(readSentences(answered)).toEqual(["That is 12."]);
  expect(system.processes().map(({ pid }) => pid)).toEqual(pids);
  expect(system.output()).not.toMatch(/died|"level":[56]0/);
});

/**
 * Waits until the workers have no refused message left. Resolves with the number of deliveries by subject, redeliveries
 * included.
 */
async function awaitWorkers(): Promise<Readonly<Record<string, number>>> {
  const manager = await jetstreamManager(client);
  for (;;) {
    const [asr, typed, heard, tts] = [
      await manager.consumers.info("voxbus_DEVICE_IN", "voxbus_asr"),
      await manager.consumers.info("voxbus_DEVICE_IN", "voxbus_dialogue"),
      await manager.consumers.info("voxbus_TURNS", "voxbus_dialogue"),
      await manager.consumers.info("voxbus_TURNS", "voxbus_tts"),
    ] as const;
    const open = [asr, typed, heard, tts].map((one) => one.num_pending + one.num_ack_pending);
    // tts holds the bystander's reply until it is played, and the reply of the session that is gone.
    if (open.join() === "0,0,0,2") {
      return {
        [`device.${victim}.in.control.open`]: asr.delivered.consumer_seq,
        [`device.${victim}.in.text`]: typed.delivered.consumer_seq,
        [`device.${victim}.heard`]: heard.delivered.consumer_seq,
        [`device.${victim}.say.open`]: tts.delivered.consumer_seq,
      };
    }
    await sleep(100);
  }
}
