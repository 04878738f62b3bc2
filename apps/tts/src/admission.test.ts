import { createClaimBudget, type Bus } from "@voxbus/bus";
import { createAdmission, createPoolRecorder } from "@voxbus/pools";
import { channels, Profile, type Outbound } from "@voxbus/protocol";
import { connectTestBus, silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { countReplies, createSpareReport } from "./capacity.ts";
import type { SentenceSpeaker } from "./sentence-speaker.ts";
import { speakReply, type SpeakDeps } from "./speak-reply.ts";
import { openReplyGateway } from "./test-reply-gateway.ts";

let nats: NatsServer;
let bus: Bus;
beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

/** A voice that speaks each sentence as one packet, when the test lets it. */
function openVoice() {
  const waiting: (() => void)[] = [];
  const speaker: SentenceSpeaker = {
    async *speak(_, signal) {
      await new Promise<void>((resolve, reject) => {
        waiting.push(resolve);
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      });
      yield { body: Uint8Array.of(1), repeatable: true, engine: "test" };
    },
    apologize: () => speaker.speak({ text: "" }, new AbortController().signal),
    rehearse: (_engine, text, signal) => speaker.speak({ text }, signal),
    recorder: createPoolRecorder({ name: "opus-out", slots: 1 }),
    load: () => ({ costMs: 1, sentences: 0, threads: 1, mostThreads: 1 }),
    close: () => Promise.resolve(),
  };
  return { speaker, waiting };
}

/** A tts with one place. `losers` ends sessions by device. */
async function startTts({ patienceMs = 10_000 } = {}) {
  const voice = openVoice();
  const losers = new Map<string, () => void>();
  const shed: string[] = [];
  const admission = createAdmission({ free: (taken) => 1 - taken, deadlineMs: 1500, patienceMs });
  const deps: SpeakDeps = {
    bus,
    admission,
    log: silentLog,
    metrics: { firstSound: () => undefined, replyShed: (priority) => shed.push(priority) },
    profiles: { of: () => Profile.parse({}) },
    sessions: {
      follow({ device }, gone) {
        losers.set(device, gone);
        return { close: () => void losers.delete(device) };
      },
    },
    speaker: voice.speaker,
    limits: { sentenceMs: 60_000, deadlineMs: 1500 },
  };
  const outcomes: Promise<void>[] = [];
  const claims = await bus.claim({
    channel: channels.sayOpen("*"),
    durable: "tts",
    slots: createClaimBudget(10, admission.room),
    work(claim) {
      const work = speakReply(claim, deps);
      outcomes.push(work);
      return work;
    },
  });
  return { admission, claims, losers, outcomes, shed, voice };
}

/** The controls that tell of a reply's work. */
function controls(device: string): string[] {
  const seen: string[] = [];
  bus.subscribe(channels.out(device), (frame: Outbound) => {
    if (frame.kind !== "control" || frame.body.type === "end") return;
    const { body } = frame;
    seen.push(`${body.type}${body.type === "working" && body.waits ? " waits" : ""} ${frame.origin ?? "-"}`);
  });
  return seen;
}

const hello = { sentence: 0, text: "Hello.", last: true };

describe("tts admission", () => {
  it("a reply without a place: the gateway is told, and it sounds when the first one was sent", async () => {
    const tts = await startTts();
    const [first, second] = [openReplyGateway(bus), openReplyGateway(bus)];
    const seen = controls(second.device);
    await first.say(hello);
    await expect.poll(() => tts.voice.waiting.length).toBe(1);
    await second.say(hello);
    await expect.poll(() => seen).toContain("working waits 5");
    expect(seen[0]).toBe("working 5");
    expect(tts.admission.waiting("high")).toBe(1);
    tts.voice.waiting.shift()!();
    await expect.poll(() => tts.voice.waiting.length).toBe(1);
    tts.voice.waiting.shift()!();
    await second.until((frames) => frames.some(({ end }) => end === "reply"));
    expect(tts.admission.taken()).toBe(0);
    for (const gateway of [first, second]) {
      gateway.played({ reply: gateway.reply });
      gateway.close();
    }
    await Promise.all(tts.outcomes);
    await tts.claims.drain(0);
  });

  it("a reply that finds no place in time is shed, and its claim is done", async () => {
    const tts = await startTts({ patienceMs: 500 });
    const [first, second] = [openReplyGateway(bus), openReplyGateway(bus)];
    await first.say(hello);
    await expect.poll(() => tts.voice.waiting.length).toBe(1);
    const seen = controls(second.device);
    await second.say(hello);
    await expect.poll(() => seen.at(-1)).toBe("shed 5");
    await tts.outcomes[1];
    expect(tts.shed).toEqual(["high"]);
    expect(second.frames.filter(({ kind }) => kind !== "control")).toEqual([]);
    await expect.poll(() => tts.claims.held()).toBe(1);
    first.played({ reply: first.reply });
    await Promise.all(tts.outcomes);
    await tts.claims.drain(0);
    for (const gateway of [first, second]) gateway.close();
  });

  test.each([
    ["a fence", (gateway: ReturnType<typeof openReplyGateway>) => gateway.control({ type: "fence", fence: 5 })],
    ["an abort", (gateway: ReturnType<typeof openReplyGateway>) => gateway.control({ type: "abort" })],
    [
      "the end of its session",
      (gateway: ReturnType<typeof openReplyGateway>) => gateway.control({ type: "closed", code: 1000, reason: "done" }),
    ],
    ["the end of its turn", async (gateway: ReturnType<typeof openReplyGateway>) => gateway.played({ origin: 5 })],
    [
      "the loss of its device",
      async (gateway: ReturnType<typeof openReplyGateway>, tts: Awaited<ReturnType<typeof startTts>>) =>
        tts.losers.get(gateway.device)!(),
    ],
  ] as const)("a reply that waits leaves the queue at once: %s", async (_, end) => {
    const tts = await startTts();
    const [first, second] = [openReplyGateway(bus), openReplyGateway(bus)];
    await first.say(hello);
    await expect.poll(() => tts.voice.waiting.length).toBe(1);
    await second.say(hello);
    await expect.poll(() => tts.admission.waiting()).toBe(1);
    await end(second, tts);
    await expect.poll(() => tts.admission.waiting()).toBe(0);
    await tts.outcomes[1];
    // A reply whose voice is at work gives its place back too.
    await end(first, tts);
    await expect.poll(() => tts.admission.taken()).toBe(0);
    await Promise.all(tts.outcomes);
    await tts.claims.drain(0);
    for (const gateway of [first, second]) gateway.close();
  });
});

describe("capacity", () => {
  it("replies: each needs a packet every 60 ms of one thread, and at most the share of the threads is used", () => {
    expect(countReplies({ costMs: 0.25, mostThreads: 1 }, { maxLoad: 0.85 })).toBe(204);
    expect(countReplies({ costMs: 0.6, mostThreads: 2 }, { maxLoad: 0.85 })).toBe(170);
    expect(countReplies({ costMs: 500, mostThreads: 1 }, { maxLoad: 0.85 })).toBe(1);
    expect(countReplies({ costMs: 0.25, mostThreads: 1 }, { maxLoad: 0.85, replies: 3 })).toBe(3);
  });

  it("report: sent when replies cease to fit or fit again, and after each tenth of the capacity", () => {
    const reported: number[] = [];
    let spare = 0;
    const note = createSpareReport(() => reported.push(spare));
    for (spare of [100, 95, 90, 85, 5, 1, 0, 0, 1, 4]) note(spare, 100);
    expect(reported).toEqual([100, 90, 5, 0, 1]);
  });
});
