import type { InControl } from "@voxbus/protocol";
import { expect, test } from "vitest";
import type { Read } from "../recording/reader.ts";
import { createSession, opened, type Written } from "../recording/test-recording.ts";
import { readPlan, type DevicePlan } from "./plan.ts";

async function* recordsOf(messages: Iterable<Written>): AsyncGenerator<Read> {
  for (const [t, subject, data] of messages) yield { type: "message", t, subject, data };
}

async function planOf(messages: Iterable<Written>): Promise<DevicePlan> {
  return (await readPlan(recordsOf(messages), () => true)).devices.get("kitchen")!;
}

type Session = ReturnType<typeof createSession>;
const packets = (session: Session, count: number) =>
  Array.from({ length: count }, (_, at) => session.audio(at, Uint8Array.of(1)));
const stop: InControl = { type: "stop" };
const wake: InControl = { type: "wake", text: "Hi, ESP" };
const listen: InControl = { type: "listen", mode: "auto", gateway: "g1" };

test.each<[string, (session: Session) => readonly Written[], string | undefined]>([
  ["audio and a stop", (one) => [...packets(one, 3), one.control(9, stop)], "manual"],
  ["much audio", (one) => packets(one, 100), "auto"],
  ["much audio and a listen", (one) => [...packets(one, 100), one.control(9, listen)], "auto"],
  ["audio that goes on while the device speaks", (one) => [one.begins(0), ...packets(one, 100)], "realtime"],
  [
    "the audio of a wake word",
    (one) => [...packets(one, 30), one.control(9, wake), one.control(10, listen)],
    undefined,
  ],
  ["little audio and a listen", (one) => [...packets(one, 30), one.control(9, listen)], undefined],
  ["typed text", (one) => [one.text(0, "a"), ...packets(one, 100)], undefined],
  ["its own beginning", (one) => [one.control(0, opened), ...packets(one, 100)], undefined],
])("plan: a session that begins with %s had this listen open before the recording", async (_, write, mode) => {
  const session = createSession("kitchen", "s1");
  expect((await planOf(write(session))).sessions.get("s1")?.openListen).toBe(mode);
});

test("plan: frames are counted once, and those that are missing between them", async () => {
  const [one, again] = [createSession("kitchen", "s1", 5), createSession("kitchen", "s1", 5)];
  const later = createSession("kitchen", "s1", 9);
  const plan = await planOf([one.text(0, "a"), again.text(1, "a"), later.text(2, "b")]);
  expect(plan).toMatchObject({ frames: 2, missing: 3 });
});

test("plan: an exchange is put together from what was heard, the newest attempts of the sentences, and the end, without announcements", async () => {
  const session = createSession("kitchen", "s1");
  const plan = await planOf([
    session.heard(1, "first", 10),
    session.text(2, "second"),
    session.say(3, { text: "Two.", origin: 10, sentence: 1 }),
    session.say(4, { text: "One?", origin: 10 }),
    session.say(5, { text: "One.", origin: 10, attempt: 2 }),
    session.say(6, { text: "", origin: 10, sentence: 2, last: true }),
    session.ends(7, { origin: 10, complete: false }),
    session.say(8, { text: "Tea time.", session: undefined, reply: "r3" }),
    session.say(9, { text: "Dinner is ready.", reply: "r4" }),
  ]);
  expect(plan.exchanges).toEqual([
    { heard: "first", said: ["One.", "Two."], isCut: true },
    { heard: "second", said: [], isCut: false },
  ]);
});

test("plan: texts are kept within a bound, and the rest is counted", async () => {
  const text = "x".repeat(65_536);
  const session = createSession("kitchen", "s1");
  function* write(): Generator<Written> {
    for (let origin = 1; origin <= 600; origin += 1) yield session.heard(origin, text, origin);
  }
  const { refused, devices } = await readPlan(recordsOf(write()), () => true);
  expect(refused).toBe(600 - 512);
  expect(devices.get("kitchen")?.exchanges.filter(({ heard }) => heard !== "")).toHaveLength(512);
});

test("plan: a recording with too many devices or sessions is refused", async () => {
  function* devices(): Generator<Written> {
    for (let at = 0; at <= 1000; at += 1) yield createSession(`d${at}`, "s1").text(at, "a");
  }
  function* sessions(): Generator<Written> {
    for (let at = 0; at <= 10_000; at += 1) yield createSession("kitchen", `s${at}`).text(at, "a");
  }
  await expect(planOf(devices())).rejects.toThrow("more than 1000 devices");
  await expect(planOf(sessions())).rejects.toThrow("more than 10000 sessions of kitchen");
});
