import { fileURLToPath } from "node:url";
import { jetstream, jetstreamManager, type JetStreamClient } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { decode, encode } from "@msgpack/msgpack";
import {
  connectTestBus,
  createInbox,
  encodeSpeech,
  loadSpeech,
  silence,
  startNatsServer,
  type Inbox,
  type NatsServer,
} from "@voxbus/testing";
import { Ajv, type ValidateFunction } from "ajv";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { buckets, channels } from "@voxbus/protocol";
import { readReleased } from "../versions/released.ts";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";
import { isMessage, readSentences, startDevice, type ScriptedDevice } from "./scripted-device.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

interface Seen {
  readonly subject: string;
  readonly value: Readonly<Record<string, any>>;
}

const root = fileURLToPath(new URL("../../../", import.meta.url));
/** The subjects of the older contract, with their envelopes. */
const older = [
  [/^device\.[^.]+\.in\.text$/, "in.text"],
  [/^device\.[^.]+\.in\.audio$/, "in.audio"],
  [/^device\.[^.]+\.in\.control(\.open)?$/, "in.control"],
  [/^(stored\.)?device\.[^.]+\.heard(\.partial)?$/, "heard"],
  [/^(stored\.)?device\.[^.]+\.say(\.open)?$/, "say"],
  [/^(device\.[^.]+|fleet)\.out$/, "out"],
  [/^device\.[^.]+\.event$/, "event"],
  [/^stats\.[^.]+$/, "stats"],
] as const;
const released = readReleased();
const compile = (file: string) => new Ajv({ strict: false }).compile(released[file] as object);

/** The fields of a newer contract, in a map of its own too. */
const tomorrow = { fieldOfTomorrow: { list: [1, { a: null }], bytes: new Uint8Array(3) } };

let nats: NatsServer;
let client: NatsConnection;
let js: JetStreamClient;
let system: LaunchedSystem;
let device: ScriptedDevice;
/** All messages of the bus whose subjects the older contract has. */
let seen: Inbox<Seen>;

beforeAll(async () => {
  nats = await startNatsServer();
  client = await connect({ servers: nats.url });
  js = jetstream(client);
  seen = createInbox();
  client.subscribe(">", {
    callback: (_error, { subject, data }) => {
      if (older.some(([pattern]) => pattern.test(subject))) seen.put({ subject, value: decode(data) as Seen["value"] });
    },
  });
  await client.flush();
  system = await launchSystem({ env: { VOXBUS_NATS_URL: nats.url } });
  device = await startDevice(system.devices[0]!, "both");
});
afterAll(async () => {
  await device?.end();
  await system?.close();
  await client?.close();
  await nats?.stop();
});

/** Lets the device publish a frame that begins no turn, and gives its place. */
async function markPlace(): Promise<{ readonly session: string; readonly seq: number }> {
  await device.do({ do: "raw", text: JSON.stringify({ type: "iot", states: [] }) });
  const { value } = await seen.take(({ value }) => value["body"]?.type === "iot");
  return { session: value["session"] as string, seq: value["seq"] as number };
}

/** Writes a transcript with the fields that every version requires, as a recognizer of another version does. */
async function hear(text: string, more: object = {}): Promise<void> {
  const { session, seq } = await markPlace();
  const heard = { v: 1, session, listen: seq, utterance: seq, from: seq, origin: seq, text, language: "en", ...more };
  await js.publish("device.both.heard", encode(heard));
}

test("an older reader: takes every message of a spoken turn, whatever fields are new in it", async () => {
  await device.do({ do: "wav", file: `${root}samples/time.wav` });
  expect(readSentences(await device.turn())).toEqual([expect.stringMatching(/^It is /)]);
  await seen.find(({ value }) => value["turn"]?.complete === true);
  const readers = new Map<string, ValidateFunction>(older.map(([, name]) => [name, compile(`envelopes/${name}.json`)]));
  const refused = seen.items.flatMap(({ subject, value }) => {
    const read = readers.get(older.find(([pattern]) => pattern.test(subject))![1])!;
    return read(JSON.parse(JSON.stringify(value, writeBytes))) ? [] : [{ subject, errors: read.errors }];
  });
  expect(refused).toEqual([]);
  const kinds = new Set(seen.items.map(({ subject }) => older.find(([pattern]) => pattern.test(subject))![1]));
  // A spoken turn has no typed text.
  expect(kinds).toEqual(new Set(older.map(([, name]) => name).filter((name) => name !== "in.text")));
  expect(seen.items.find(({ subject }) => subject.endsWith(".in.audio"))?.value).toHaveProperty("duration");
});

test("an older reader: takes every entry that the turn left in the buckets", async () => {
  const refused: unknown[] = [];
  const kinds = new Set<string>();
  for (const { bucket, key, value } of await readEntries("dialogues")) {
    const found = Object.entries(buckets).find(([, row]) => row.bucket === bucket && row.idOf(key) !== undefined);
    const file = `buckets/${(found?.[0] ?? "").replaceAll(/(?=[A-Z])/g, "-").toLowerCase()}.json`;
    // A bucket that is new is not read by an older program.
    if (released[file] === undefined) continue;
    kinds.add(file);
    const read = compile(file);
    if (!read(value)) refused.push({ bucket, key, errors: read.errors });
  }
  expect(refused).toEqual([]);
  const kept = ["presence", "gateways", "canaries", "devices", "dialogues", "probes", "monitor-lease"];
  expect([...kinds]).toEqual(expect.arrayContaining(kept.map((name) => `buckets/${name}.json`)));
});

/** Reads every entry of every bucket, once there is one in the bucket `last`. */
async function readEntries(last: string) {
  const jsm = await jetstreamManager(client);
  await vi.waitFor(
    async () => expect((await jsm.streams.info(`KV_voxbus_${last}`)).state.messages).toBeGreaterThan(0),
    {
      timeout: 20_000,
      interval: 100,
    },
  );
  const entries: { readonly bucket: string; readonly key: string; readonly value: unknown }[] = [];
  for await (const { config, state } of jsm.streams.list()) {
    if (state.messages === 0 || !config.name.startsWith("KV_voxbus_")) continue;
    const bucket = config.name.replace("KV_voxbus_", "");
    const reader = await js.consumers.get(config.name);
    for await (const { subject, data, headers } of await reader.fetch({
      max_messages: state.messages,
      expires: 2000,
    })) {
      if (data.byteLength === 0 || headers?.has("KV-Operation")) continue;
      const key = subject.split(".").slice(2).join(".");
      entries.push({ bucket, key, value: JSON.parse(new TextDecoder().decode(data)) });
    }
  }
  return entries;
}

describe("writers of another version", () => {
  test("an older one: its transcript, with none of the fields that are optional, is answered", async () => {
    await hear("what is one plus one");
    await device.next(isMessage({ type: "tts", state: "sentence_start", text: "That is 2." }));
    await device.next(isMessage({ type: "tts", state: "stop" }));
  });

  test("a newer one: its transcript is answered, its sentence spoken, and its message shown", async () => {
    const profile = JSON.stringify({ language: "en", fieldOfTomorrow: { list: [1] } });
    await js.publish("$KV.voxbus_profiles.both", profile);
    await hear("what is nine times eight", tomorrow);
    await device.next(isMessage({ type: "tts", state: "sentence_start", text: "That is 72." }));
    await device.next(isMessage({ type: "tts", state: "stop" }));
    const say = { v: 1, reply: "newer-1", attempt: 1, sentence: 0, text: "Dinner is ready.", last: true, ...tomorrow };
    await js.publish("device.both.say.open", encode(say), { msgID: "newer-1:0" });
    await device.next(isMessage({ type: "tts", state: "sentence_start", text: "Dinner is ready." }));
    await device.next(isMessage({ type: "tts", state: "stop" }));
    const alert = { type: "alert", status: "Door", message: "Open", emotion: "happy", urgency: 3 };
    client.publish("device.both.out", encode({ v: 1, kind: "text", body: alert, ...tomorrow }));
    // Texts for devices are passed on whole: a newer device may know the field.
    await device.next(isMessage({ type: "alert", message: "Open", urgency: 3 }));
  });

  const versions = [
    ["an older", "older", {}],
    ["a newer", "newer", tomorrow],
  ] as const;

  test.each(versions)(
    "%s gateway: what its device types and says is answered, and its events are read",
    async (_, id, more) => {
      const [session, gateway] = [`s-${id}`, `g-${id}`];
      const epoch = `e-${id}`;
      const lease = {
        id: gateway,
        epoch,
        address: "",
        load: { connections: 1, speaking: 0 },
        draining: false,
        since: 1,
      };
      const put = (key: string, entry: object) =>
        js.publish(`$KV.voxbus_${key}`, JSON.stringify({ ...entry, ...more }));
      const renew = () => put(`gateways.${gateway}`, lease);
      await renew();
      const timer = setInterval(() => void renew(), 2000);
      onTestFinished(() => clearInterval(timer));
      const presence = {
        term: 1,
        gateway,
        epoch,
        session,
        since: 1,
        remote: "",
        protocol: 1,
        features: {},
        state: "active",
      };
      await put(`presence.${id}`, presence);
      const frames = new Map<number, Uint8Array>();
      const replay = client.subscribe(`gateway.${gateway}.replay`, {
        callback(_error, message) {
          const { from, to = frames.size } = decode(message.data) as { readonly from: number; readonly to?: number };
          const asked = [...frames].flatMap(([seq, frame]) => (seq >= from && seq <= to ? [frame] : []));
          message.respond(encode({ v: 1, session, open: true, newest: frames.size, frames: asked, ...more }));
        },
      });
      const write = (frame: object) => {
        const seq = frames.size + 1;
        const data = encode({ v: 1, session, seq, at: Date.now(), ...frame, ...more });
        frames.set(seq, data);
        return data;
      };
      const answered = (text: string) =>
        seen.find(({ subject, value }) => subject === `stored.device.${id}.say.open` && value["text"] === text);

      await js.publish(`device.${id}.in.text`, write({ kind: "text", body: "what is one plus one" }));
      await answered("That is 2.");
      const listen = { type: "listen", mode: "auto", gateway, ...more };
      await js.publish(`device.${id}.in.control.open`, write({ kind: "control", body: listen }));
      // Older gateways leave the duration out.
      for (const body of [...encodeSpeech(loadSpeech("sum")), ...encodeSpeech(silence(2000))])
        client.publish(`device.${id}.in.audio`, write({ kind: "audio", body }));
      await answered("That is 12.");
      const turn = { complete: true, fenced: 0, dropped: 0, late: 0, ...more };
      client.publish(
        `device.${id}.event`,
        encode({ v: 1, session, at: Date.now(), gateway, state: "active", turn, ...more }),
      );
      client.publish(`device.fence-${id}.event`, encode({ v: 1, session: 7 }));
      const { value } = await seen.find(({ subject, value }) => {
        const { badMessages = [] } = value as { readonly badMessages?: readonly { readonly subject: string }[] };
        return subject === "stats.monitor" && badMessages.some((bad) => bad.subject === `device.fence-${id}.event`);
      });
      const { badMessages } = value as { readonly badMessages: readonly { readonly subject: string }[] };
      expect(badMessages.filter(({ subject }) => subject.startsWith(`device.${id}.`))).toEqual([]);
      replay.unsubscribe();
    },
  );

  test.each(versions)(
    "%s caller of a tool, and another program that offers one: are understood",
    async (_, id, more) => {
      const call = {
        id: `s-${id}:1:0`,
        device: id,
        session: `s-${id}`,
        origin: 1,
        args: {},
        deadline: Date.now() + 30_000,
      };
      const { data } = await client.request("tool.list_timers", encode({ v: 1, ...call, ...more }), {
        timeout: 10_000,
      });
      expect(decode(data)).toEqual({ v: 1, text: "There is no timer and no alarm." });
      const offer = client.subscribe(`tool.weather-${id}`, {
        callback: (_error, message) => void message.respond(encode({ v: 1, text: "Sunny.", ...more })),
      });
      const bus = await connectTestBus(nats.url);
      expect(await bus.request(channels.tool(`weather-${id}`), call, { timeoutMs: 10_000 })).toEqual({
        text: "Sunny.",
      });
      offer.unsubscribe();
      await bus.close();
    },
  );
});

test("the next major version: is refused by every program by its name, and the next turn goes on", async () => {
  const next = encode({ v: 2, entirely: "different" });
  for (const subject of ["in.text", "in.control.open", "heard", "say.open"])
    await js.publish(`device.both.${subject}`, next);
  client.publish("device.both.out", next);
  const refusing = new Set<string>();
  await seen.find(({ subject, value }) => {
    if (subject.startsWith("stats.") && (value["drops"]?.["newer-version"] ?? 0) > 0) refusing.add(subject);
    return ["gateway", "asr", "dialogue", "tts"].every((program) => refusing.has(`stats.${program}`));
  });
  await device.do({ do: "text", text: "what is one plus one" });
  expect(readSentences(await device.turn())).toEqual(["That is 2."]);
});

function writeBytes(this: Readonly<Record<string, unknown>>, key: string, value: unknown): unknown {
  const own = this[key];
  return own instanceof Uint8Array ? Buffer.from(own).toString("base64") : value;
}
