import type { Bus, Claim, Claims } from "@voxbus/bus";
import { channels, type InControl, type Outbound, Profile, type Say } from "@voxbus/protocol";
import { connectTestBus, silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createEmbeddedEngine } from "./engines/embedded.ts";
import type { TtsEngine } from "./engines/engine.ts";
import { createSentenceSpeaker, type SentenceSpeaker } from "./sentence-speaker.ts";
import { speakReply, type SpeakDeps } from "./speak-reply.ts";
import { openReplyGateway } from "./test-reply-gateway.ts";

let nats: NatsServer;
let bus: Bus;
let engine: TtsEngine;
let speaker: SentenceSpeaker;
const none = () => undefined;
const metrics = { firstSound: none, synthesized: none, engineFailed: none, cacheAsked: none, replyShed: none };
const buses: Bus[] = [];
const workers: Claims[] = [];

const connect = async () => {
  const bus = await connectTestBus(nats.url);
  buses.push(bus);
  return bus;
};

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connect();
  engine = await createEmbeddedEngine({ threads: 1 });
  speaker = await createSentenceSpeaker({ engines: [engine], fallback: engine, log: silentLog, metrics, threads: 1 });
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((claims) => claims.drain(0)));
});
afterAll(async () => {
  await Promise.all(buses.map((bus) => bus.close()));
  await speaker.close();
  await engine.close();
  await nats.stop();
});

const createGateway = () => openReplyGateway(bus);

/** Starts a tts. `outcomes` are the ends of the replies that it worked on. */
const startWorker = async (on: Bus = bus) => {
  const outcomes: Promise<"done" | "failed">[] = [];
  const claims = await on.claim({
    channel: channels.sayOpen("*"),
    durable: "tts",
    slots: 10,
    work: (claim) => {
      const work = speak(claim, on);
      outcomes.push(work.then(() => "done" as const, () => "failed" as const)); // prettier-ignore
      return work;
    },
  });
  workers.push(claims);
  return { claims, outcomes };
};

const speak = (claim: Claim<Say>, on: Bus = bus) => speakReply(claim, { ...deps, bus: on, speaker });

/** Reports that the sessions of the replies are gone, by device. */
const losers = new Map<string, () => void>();
const sessions: SpeakDeps["sessions"] = {
  follow: ({ device }, gone) => {
    losers.set(device, gone);
    return { close: () => void losers.delete(device) };
  },
};

const profiles = { of: () => Profile.parse({}) };
const admission = { enter: async () => none, take: () => none };
const limits = { sentenceMs: 60_000, deadlineMs: 1500 };
const deps = { admission, log: silentLog, metrics, profiles, sessions, limits };

const ended = (frames: readonly Outbound[]) => frames.some(({ end }) => end === "reply");
const names = (frames: readonly Outbound[]) => frames.map(({ sentence, n }) => `${sentence}.${n}`);
const soundMs = (frames: readonly Outbound[]) =>
  frames.reduce((sum, frame) => sum + (frame.kind === "audio" ? frame.duration : 0), 0);
const long =
  "This is a long story that is told slowly, with many words, and it never seems to come to its end. ".repeat(5);

test("tts: two sentences become frames in order, named, with their marks", async () => {
  const gateway = createGateway();
  const { outcomes } = await startWorker();
  await gateway.say({ sentence: 0, text: "Hello there.", emotion: "happy" });
  await gateway.until((frames) => frames.some(({ end }) => end === "sentence"));
  await gateway.say({ sentence: 1, text: "How are you?", last: true });
  const frames = await gateway.until(ended);
  expect(frames[0]).toMatchObject({ kind: "text", body: { type: "llm", emotion: "happy" }, sentence: 0, n: 0 });
  expect(frames[1]).toMatchObject({ body: { type: "tts", state: "sentence_start", text: "Hello there." }, n: 1 });
  const second = frames.findIndex(({ sentence }) => sentence === 1);
  expect(frames[second]).toMatchObject({ body: { type: "tts", state: "sentence_start", text: "How are you?" }, n: 0 });
  const expected = [...Array(second).keys()].map((n) => `0.${n}`);
  expect(names(frames)).toEqual([...expected, ...[...Array(frames.length - second).keys()].map((n) => `1.${n}`)]);
  expect(frames.filter(({ end }) => end).map(({ sentence, n, end }) => [sentence, n, end])).toEqual([
    [0, second - 1, "sentence"],
    [1, frames.length - second - 1, "reply"],
  ]);
  for (const frame of frames) {
    expect(frame).toMatchObject({
      session: gateway.session,
      origin: 5,
      reply: gateway.reply,
      attempt: 1,
      repeatable: true,
    });
  }
  gateway.played({ reply: gateway.reply, origin: 5 });
  expect(await outcomes[0]).toBe("done");
  gateway.close();
});

test("tts: an end mark without text ends the reply, an announcement has no origin", async () => {
  const gateway = createGateway();
  const { outcomes } = await startWorker();
  const whose = { session: undefined, origin: undefined };
  await gateway.say({ ...whose, sentence: 0, text: "Dinner is ready." });
  await gateway.say({ ...whose, sentence: 1, text: "", last: true });
  const frames = await gateway.until(ended);
  expect(frames.at(-1)).toMatchObject({ kind: "control", body: { type: "end" }, sentence: 1, n: 0, end: "reply" });
  expect(frames.every((frame) => frame.origin === undefined && frame.session === undefined)).toBe(true);
  await gateway.control({ type: "closed", code: 1000, reason: "done" });
  await gateway.control({ type: "fence", fence: 9, reply: gateway.reply });
  expect(await outcomes[0]).toBe("done");
  gateway.close();
});

test.each([
  ["nothing-to-say", [{ text: "", emotion: "happy", outcome: "nothing-to-say" }]],
  ["failed", [{ text: "今天天气很好。" }, { text: "Hello." }]],
] as const)("tts: a reply that is no answer says so in its last frame alone (%s)", async (outcome, says) => {
  const gateway = createGateway();
  const { outcomes } = await startWorker();
  for (const [at, say] of says.entries()) await gateway.say({ ...say, sentence: at, last: at === says.length - 1 });
  const frames = await gateway.until(ended);
  expect(frames.filter((frame) => frame.outcome)).toEqual([frames.at(-1)]);
  expect(frames.at(-1)).toMatchObject({ end: "reply", outcome });
  gateway.played({ reply: gateway.reply, origin: 5 });
  expect(await outcomes[0]).toBe("done");
  gateway.close();
});

test("tts: a reply ends when its session is gone", async () => {
  const gateway = createGateway();
  const { claims, outcomes } = await startWorker();
  await gateway.say({ sentence: 0, text: "Hello there.", last: true });
  await gateway.until(ended);
  losers.get(gateway.device)?.();
  expect(await outcomes[0]).toBe("done");
  await expect.poll(() => claims.held()).toBe(0);
  expect(losers.has(gateway.device)).toBe(false);
  gateway.close();
});

test("tts: it stays 10 s ahead, and a fence ends it at once", async () => {
  const gateway = createGateway();
  const { outcomes } = await startWorker();
  await gateway.say({ sentence: 0, text: long, last: true });
  await gateway.until((frames) => soundMs(frames) >= 9900);
  await gateway.control({ type: "fence", fence: 4 }, 10);
  await gateway.control({ type: "abort" }, 4);
  expect(ended(gateway.frames)).toBe(false);
  await gateway.control({ type: "fence", fence: 5 }, 11);
  expect(await outcomes[0]).toBe("done");
  // What left before the fence came is still on its way; after it nothing leaves.
  await bus.flush();
  const sent = gateway.frames.length;
  expect(soundMs(gateway.frames)).toBeLessThan(12_500);
  await gateway.control({ type: "wake", text: "" }, 12);
  await bus.flush();
  expect(gateway.frames.length).toBe(sent);
  gateway.close();
});

test.each<[string, InControl, number]>([
  ["an abort", { type: "abort" }, 6],
  ["the end of its session", { type: "closed", code: 1006, reason: "gone" }, 6],
])("tts: %s ends a reply", async (_, body, seq) => {
  const gateway = createGateway();
  const { outcomes } = await startWorker();
  await gateway.say({ sentence: 0, text: "Hello.", last: false });
  await gateway.until((frames) => frames.length > 0);
  await gateway.control(body, seq);
  expect(await outcomes[0]).toBe("done");
  gateway.close();
});

test("tts: a reply that was fenced before it was claimed is not held", async () => {
  const gateway = createGateway();
  await gateway.control({ type: "fence", fence: 7 });
  const { outcomes, claims } = await startWorker();
  await gateway.say({ sentence: 0, text: "Hello." });
  await expect.poll(() => outcomes.length).toBe(1);
  expect(await outcomes[0]).toBe("done");
  await expect.poll(() => claims.held()).toBe(0);
  gateway.close();
});

test("tts: frames that the gateway misses are sent again, byte for byte", async () => {
  const gateway = createGateway();
  await startWorker();
  await gateway.say({ sentence: 0, text: "Hello there." });
  await gateway.say({ sentence: 1, text: "How are you?", last: true });
  const first = [...(await gateway.until(ended))];
  const after = { attempt: 1, sentence: 0, n: 5 };
  await gateway.control({ type: "resend", reply: "another reply", after });
  await gateway.control({ type: "resend", reply: gateway.reply, origin: 5, after });
  const missing = first.filter(({ sentence = 0, n = 0 }) => sentence > 0 || n > 5);
  await gateway.until((frames) => frames.length >= first.length + missing.length);
  expect(gateway.frames.slice(first.length)).toEqual(missing);
  await gateway.control({ type: "resend", reply: gateway.reply });
  await gateway.until((frames) => frames.length >= 2 * first.length + missing.length);
  expect(gateway.frames.slice(first.length + missing.length)).toEqual(first);
  gateway.played({ origin: 5 });
  gateway.close();
});

test("tts: a successor speaks the same frames under the next attempt, and begins where the gateway stands", async () => {
  const gateway = createGateway();
  const other = await connect();
  const first = await startWorker(other);
  await gateway.say({ sentence: 0, text: "The first sentence." });
  await gateway.say({ sentence: 1, text: long, last: true });
  await gateway.until((frames) => soundMs(frames) >= 9900);
  const before = [...gateway.frames];
  const last = before.at(-1)!;
  const after = { attempt: 1, sentence: last.sentence!, n: last.n! };
  await gateway.control({ type: "resend", reply: gateway.reply, origin: 5, after });
  await first.claims.drain(0);
  expect(await first.outcomes[0]).toBe("failed");
  const successor = await startWorker();
  const frames = await gateway.until((frames) =>
    frames.some(({ attempt, sentence, n }) => attempt === 2 && sentence === 1 && n === after.n + 100),
  );
  const again = frames.filter(({ attempt }) => attempt === 2);
  const content = (frames: readonly Outbound[]) =>
    frames.map(({ kind, body, sentence, n }) => ({ kind, body, sentence, n }));
  expect(content(again.slice(0, before.length))).toEqual(content(before));
  gateway.played({ reply: gateway.reply });
  expect(await successor.outcomes[0]).toBe("done");
  gateway.close();
});

test("tts: at the last delivery it only apologizes, behind what was accepted", async () => {
  const gateway = createGateway();
  await gateway.control({ type: "resend", reply: gateway.reply, origin: 5, after: { attempt: 3, sentence: 2, n: 7 } });
  const message: Say = {
    session: gateway.session, origin: 5, reply: gateway.reply, attempt: 1, sentence: 0, text: "Poison.", last: false,
  }; // prettier-ignore
  const { signal } = new AbortController();
  const work = speak({
    device: gateway.device,
    message,
    seq: 1,
    storedAt: Date.now(),
    attempt: 4,
    final: true,
    trace: {},
    sent: {},
    signal,
  });
  const frames = await gateway.until(ended);
  expect(frames.every(({ sentence, attempt }) => sentence === 3 && attempt === 4)).toBe(true);
  expect(frames[0]).toMatchObject({ n: 0, body: { type: "llm", emotion: "sad" } });
  expect(soundMs(frames)).toBeGreaterThan(1000);
  expect(JSON.stringify(frames)).not.toContain("Poison");
  gateway.played({ reply: gateway.reply });
  await work;
  gateway.close();
});

test("tts: a sentence that was missed live is read from the stream", async () => {
  const gateway = createGateway();
  await gateway.say({ sentence: 0, text: "One." });
  await gateway.say({ sentence: 1, text: "Two." });
  await startWorker();
  await gateway.until((frames) => frames.some(({ sentence, end }) => sentence === 1 && end === "sentence"));
  await gateway.say({ sentence: 2, text: "Three.", last: true });
  const frames = await gateway.until(ended);
  const said = frames.flatMap((frame) => (frame.kind === "text" && frame.body.type === "tts" ? [frame.body.text] : []));
  expect(said).toEqual(["One.", "Two.", "Three."]);
  gateway.played({ reply: gateway.reply });
  gateway.close();
});

test("tts: after an outage of NATS the first frame comes again, for a gateway that knows nothing of the reply", async () => {
  const gateway = createGateway();
  const { outcomes } = await startWorker();
  await gateway.say({ sentence: 0, text: "Hello there.", last: true });
  const whole = (await gateway.until(ended)).length;
  await nats.restart();
  const frames = await gateway.until(({ length }) => length > whole);
  expect(names(frames.slice(whole))).toEqual(["0.0"]);
  gateway.played({ reply: gateway.reply });
  expect(await outcomes[0]).toBe("done");
  gateway.close();
});
