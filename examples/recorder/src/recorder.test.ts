import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bus } from "@voxbus/bus";
import { channels, stored } from "@voxbus/protocol";
import { startSubscriber, type Running } from "@voxbus/subscriber";
import { connectTestBus, encodeSpeech, loadSpeech, loose, startNatsServer, writeOggOpus } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { removeOldest } from "./files.ts";
import { buildRecorder, recorder } from "./recorder.ts";
import type { Turn } from "./turns.ts";

let nats: Awaited<ReturnType<typeof startNatsServer>>;
let bus: Bus;
let program: Running | undefined;
let folder: string;
const packets = encodeSpeech(loadSpeech("joke")).slice(0, 20);

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "voxbus-recorder-")), "recordings");
});
afterEach(async () => {
  await program?.stop("quick");
  program = undefined;
  rmSync(join(folder, ".."), { recursive: true, force: true });
});
afterAll(async () => {
  await bus?.close();
  await nats?.stop();
});

async function start(env: Record<string, string> = {}) {
  const own = { VOXBUS_NATS_URL: nats.url, VOXBUS_LOG_LEVEL: "fatal", VOXBUS_RECORDER_DIR: folder, ...env };
  program = await startSubscriber(recorder, buildRecorder, own);
}

const session = "s1";
const speak = (device: string, seq: number, body: Uint8Array) =>
  bus.publish(channels.inAudio(device), { session, seq, at: 1, kind: "audio", body });
const hear = (device: string, from: number, origin: number, text: string) =>
  bus.publish(loose(stored(channels.heard(device))), {
    session,
    listen: 1,
    utterance: 1,
    from,
    origin,
    text,
    language: "en",
    ...(text === "" && { reason: "unrecognized" }),
  });
const say = (device: string, sentence: number, fields: object) =>
  bus.publish(loose(stored(sentence === 0 ? channels.sayOpen(device) : channels.say(device))), {
    session,
    reply: "r1",
    attempt: 1,
    sentence,
    last: false,
    ...fields,
  });
const finish = (device: string, fields: object) => {
  const turn = { complete: true, fenced: 0, dropped: 0, late: 0, ...fields };
  bus.publish(channels.event(device), { session, at: 1, gateway: "g1", turn });
};
const close = (device: string) =>
  bus.publish(channels.event(device), { session, at: 1, gateway: "g1", state: "closed", reason: "gone", code: 1006 });

const list = (suffix: string) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(suffix))
        .toSorted()
    : [];
const readTurns = () => list(".json").map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as Turn[]);

test("recorder: a session becomes an Ogg Opus file and a JSON file of its turns", async () => {
  await start();
  packets.forEach((packet, index) => speak("aa:bb", index + 2, packet));
  hear("aa:bb", 4, 9, "tell me a joke");
  say("aa:bb", 1, { origin: 9, text: "Second.", last: true });
  say("aa:bb", 0, { origin: 9, text: "First." });
  finish("aa:bb", { origin: 9, reply: "r1", played: [1, 3], firstAudio: 239.6 });
  hear("aa:bb", 12, 14, "");
  bus.publish(loose(channels.inText("aa:bb")), {
    session,
    seq: 30,
    at: 1_760_000_000_000,
    kind: "text",
    body: "hello",
  });
  say("aa:bb", 0, { reply: "r2", session: undefined, text: "Dinner is ready.", last: true });
  finish("aa:bb", { reply: "r2", complete: false, reason: "fenced" });
  close("aa:bb");
  await vi.waitFor(() => expect(readTurns()[0]).toHaveLength(4));
  const [sound] = list(".opus");
  const expected = writeOggOpus({ packets, packetMs: 60, packetsPerPage: 17, serial: 1 });
  // The first page names the rate before encoding, which the two writers choose differently.
  await vi.waitFor(() =>
    expect(readFileSync(join(folder, sound!)).subarray(47)).toEqual(Buffer.from(expected).subarray(47)),
  );
  expect(sound).toMatch(/^aa=bb\/[\dTZ.-]+-s1\.opus$/);
  const at = expect.stringMatching(/^\d{4}-.*Z$/);
  await vi.waitFor(() =>
    expect(readTurns()).toEqual([
      [
        {
          at,
          kind: "spoken",
          session,
          origin: 9,
          text: "tell me a joke",
          language: "en",
          audio: [{ file: sound, fromMs: 120, toMs: 480 }],
          reply: "r1",
          answer: "First. Second.",
          outcome: "played",
          firstAudioMs: 240,
        },
        {
          at,
          kind: "spoken",
          session,
          origin: 14,
          text: "",
          language: "en",
          unheard: "unrecognized",
          audio: [{ file: sound, fromMs: 600, toMs: 780 }],
        },
        { at: "2025-10-09T08:53:20.000Z", kind: "typed", session, origin: 30, text: "hello" },
        { at, kind: "announcement", reply: "r2", answer: "Dinner is ready.", outcome: "fenced" },
      ],
    ]),
  );
  for (const name of [...list(".opus"), ...list(".json")])
    expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
});

test("recorder: the next file begins after the time of one, and a turn is in the file in which it ended", async () => {
  await start({ VOXBUS_RECORDER_PART_S: "1" });
  packets.forEach((packet, index) => speak("d1", index + 1, packet));
  hear("d1", 15, 19, "over the edge");
  await vi.waitFor(() => expect(readTurns()).toHaveLength(1));
  packets.forEach((packet, index) => speak("d1", index + 21, packet));
  say("d1", 0, { origin: 19, text: "Yes.", last: true });
  finish("d1", { origin: 19, reply: "r1" });
  close("d1");
  await vi.waitFor(() => expect(readTurns().flat().at(-1)).toMatchObject({ outcome: "played" }));
  const [first, second, third] = list(".opus");
  expect(third).toBeDefined();
  const turns = readTurns();
  expect(turns.flat()).toHaveLength(1);
  expect(turns.at(-1)![0]!.audio).toEqual([
    { file: first, fromMs: 840, toMs: 1020 },
    { file: second, fromMs: 0, toMs: 120 },
  ]);
  await vi.waitFor(() => {
    for (const name of list(".opus"))
      expect(readFileSync(join(folder, name)).lastIndexOf("OggS\0\x04")).toBeGreaterThan(0);
  });
});

test("recorder: after 200 turns the next file begins, also when no turn has ended", async () => {
  await start();
  for (let origin = 1; origin <= 390; origin++) hear("d1", origin, origin, `question ${origin}`);
  await vi.waitFor(() => expect(readTurns().map(({ length }) => length)).toEqual([180, 180, 30]));
  expect(new Set(readTurns().flatMap((turns) => turns.map(({ text }) => text))).size).toBe(390);
});

test("recorder: an answer that is written again replaces the first", async () => {
  await start();
  say("d1", 0, { origin: 3, text: "One." });
  say("d1", 1, { origin: 3, text: "Two." });
  say("d1", 0, { origin: 3, attempt: 2, text: "Three.", last: true });
  await vi.waitFor(() => expect(readTurns()[0]?.[0]?.answer).toBe("Three."));
});

test("recorder: with VOXBUS_RECORDER_DEVICE other devices are not recorded", async () => {
  await start({ VOXBUS_RECORDER_DEVICE: "d2" });
  for (const device of ["d1", "d2"]) speak(device, 1, packets[0]!);
  await vi.waitFor(() => expect(list(".opus")).toHaveLength(1));
  expect(list(".opus")[0]).toMatch(/^d2\//);
});

test("recorder: what it cannot record is counted, and it goes on", async () => {
  writeFileSync(folder, "a file in the place of the folder");
  await start();
  speak("d1", 1, packets[0]!);
  speak("d1", 2, Uint8Array.of(3));
  const metrics = async () => (await fetch(`${program!.addresses["ops"]}/metrics`)).text();
  await vi.waitFor(async () =>
    expect(await metrics()).toMatch(/voxbus_recorder_losses_total\{[^}]*"invalid-packet"[^}]*\} 1/),
  );
  await vi.waitFor(async () => {
    speak("d1", 3, packets[1]!);
    expect(await metrics()).toMatch(/voxbus_recorder_losses_total\{[^}]*"disk"[^}]*\} [1-9]/);
  });
  rmSync(folder);
  close("d1");
  await vi.waitFor(() => {
    speak("d2", 1, packets[0]!);
    expect(list(".opus").join()).toMatch(/d2\//);
  });
});

test("recorder: the oldest recordings are removed, but none that is being written", async () => {
  await start();
  for (const device of ["d1", "d2", "d3", "d4"]) speak(device, 1, packets[0]!);
  await vi.waitFor(() => expect(list(".opus")).toHaveLength(4));
  list(".opus").forEach((name, index) => {
    writeFileSync(join(folder, name), Buffer.alloc(1000));
    utimesSync(join(folder, name), 1000 + index, 1000 + index);
  });
  const open = join(folder, list(".opus")[0]!);
  const removed = await removeOldest(folder, { maxBytes: 2500, isOpen: (path) => path === open });
  expect(removed).toBe(2);
  expect(list(".opus").map((name) => name.slice(0, 2))).toEqual(["d1", "d4"]);
});
