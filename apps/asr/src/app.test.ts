import { createNoise } from "@voxbus/audio";
import type { Bus } from "@voxbus/bus";
import {
  connectTestBus,
  encodeSpeech,
  isUserSpeaking,
  loadSpeech,
  openTestGateway,
  silence,
  startNatsServer,
  type Answer,
  type NatsServer,
  type TestGateway,
} from "@voxbus/testing";
import { channels } from "@voxbus/protocol";
import { startSubscriber, type Running } from "@voxbus/subscriber";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { asr, buildAsr } from "./app.ts";
import { joinSamples } from "./join-samples.ts";

// Under load the machine is slow, and that is no failure.
vi.setConfig({ testTimeout: 30_000 });

let nats: NatsServer;
let bus: Bus;
let running: Running;
let device: TestGateway;
let count = 0;

const say = (name: string, after = 900) => encodeSpeech(joinSamples(silence(600), loadSpeech(name), silence(after)));
const order = (answers: readonly Answer[]) =>
  answers.map((answer) =>
    answer.type === "user-speaking" ? `user-speaking ${answer.on ? "on" : "off"}` : answer.type,
  );

/** The sum of a metric's series in /metrics, 0 as long as it has none. */
async function readMetric(name: string): Promise<number> {
  const text = await (await fetch(`${running.addresses["ops"]}/metrics`)).text();
  return text
    .split("\n")
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.split(" ")[1]), 0);
}

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  running = await startSubscriber(asr, buildAsr, {
    VOXBUS_NATS_URL: nats.url,
    VOXBUS_ASR_OPS_PORT: "0",
    VOXBUS_LOG_LEVEL: "fatal",
    VOXBUS_ASR_THREADS: "1",
  });
}, 30_000);
afterAll(async () => {
  await running.stop("quick");
  await bus.close();
  await nats.stop();
});
beforeEach(() => {
  count += 1;
  device = openTestGateway(bus, `device-${count}`);
});
afterEach(async () => {
  await device.control({ type: "closed", code: 1006, reason: "" });
  device.close();
});

describe("auto mode", () => {
  test("speech: the device is told it is heard, sees its words, then they are stored", async () => {
    const listen = await device.listen("auto");
    const packets = say("time");
    const silent = 15;
    device.send(packets.slice(0, -silent));
    // Once the utterance has ended, its partial transcripts are left out.
    await expect.poll(() => device.partials, { timeout: 20_000 }).toContain("what time is");
    device.send(packets.slice(-silent));
    const heard = await device.heard();
    const off = await device.answer(isUserSpeaking(false));
    const stt = device.answers.find((answer) => answer.type === "stt");
    expect(heard).toMatchObject({ text: "what time is it", language: "en-US", listen, utterance: 1 });
    expect(heard.from).toBeGreaterThan(listen + 8);
    expect(heard.origin).toBeGreaterThan(heard.from);
    expect(stt).toMatchObject({ text: "what time is it", origin: heard.origin });
    expect(off).toMatchObject({ seq: heard.origin });
    expect(off.origin).toBeUndefined();
    expect(order(device.answers).filter((type) => type !== "heard")).toEqual([
      "user-speaking on",
      "barge-in",
      "stt",
      "user-speaking off",
    ]);
  });

  test("several utterances in one listen: numbered on, in order", async () => {
    const listen = await device.listen("auto");
    device.send([...say("time"), ...say("joke"), ...say("volume")]);
    await device.heard(2);
    const heard = device.answers.flatMap((answer) => (answer.type === "heard" ? [answer.heard] : []));
    expect(heard.map(({ text, utterance }) => [utterance, text])).toEqual([
      [1, "what time is it"],
      [2, "tell me a joke"],
      [3, "set the volume to fifty"],
    ]);
    expect(heard.every((each) => each.listen === listen)).toBe(true);
  });

  test("many listens at once: Node.js does not warn of a leak", async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on("warning", note);
    const others = Array.from({ length: 12 }, (_, n) => openTestGateway(bus, `many-${n}`));
    await Promise.all(others.map((other) => other.listen("auto")));
    await vi.waitFor(async () => expect(await readMetric("voxbus_asr_listens")).toBeGreaterThanOrEqual(12), 20_000);
    for (const other of others) other.close();
    process.off("warning", note);
    expect(warnings).toEqual([]);
  });

  test("speech outside the grammar: an empty final with its reason, and an answer is announced", async () => {
    await device.listen("auto");
    device.send(say("other"));
    const heard = await device.heard();
    const off = await device.answer(isUserSpeaking(false));
    expect(heard).toMatchObject({ text: "", reason: "unrecognized" });
    expect(off).toMatchObject({ origin: heard.origin });
    expect(order(device.answers)).not.toContain("stt");
  });

  test("invalid packets: are counted, and the listen goes on", async () => {
    const before = await readMetric("voxbus_asr_invalid_packets_total");
    await device.listen("auto");
    const garbage = new Uint8Array(1920).fill(255);
    device.send(say("time").flatMap((packet) => [packet, garbage]));
    expect((await device.heard()).text).toBe("what time is it");
    expect(await readMetric("voxbus_asr_invalid_packets_total")).toBeGreaterThan(before + 20);
  });

  test("a device that falls silent without a frame: its speech is over all the same", async () => {
    await device.listen("auto");
    device.send(say("joke", 0));
    expect((await device.heard()).text).toBe("tell me a joke");
  });
});

describe("lost frames", () => {
  test("frames that did not arrive live: are requested again and put in their place", async () => {
    await device.listen("auto");
    const packets = say("volume");
    const before = device.send(packets.slice(0, 20));
    await device.answer(isUserSpeaking(true));
    device.send(packets.slice(20), { missing: [1, 2, 3, 10] });
    expect((await device.heard()).text).toBe("set the volume to fifty");
    expect(device.replays).toContainEqual({ from: before + 2, to: before + 4 });
  });

  test("frames that the gateway has lost: the listen goes on without them", async () => {
    await device.listen("auto");
    device.send([...encodeSpeech(silence(1200)), ...say("joke")], { lost: [3, 4, 5] });
    expect((await device.heard()).text).toBe("tell me a joke");
  });
});

describe("manual mode", () => {
  test("stop: ends the one utterance at once, pauses do not", async () => {
    await device.listen("manual");
    device.send(encodeSpeech(joinSamples(loadSpeech("time"), silence(1500), silence(600))));
    device.send(encodeSpeech(silence(1200)));
    await device.control({ type: "stop" });
    const heard = await device.heard();
    expect(heard).toMatchObject({ text: "what time is it", utterance: 1 });
    expect(order(device.answers).filter((type) => type === "heard")).toHaveLength(1);
  });

  test("no speech until stop: a final that says silence, and no answer is announced", async () => {
    await device.listen("manual");
    device.send(encodeSpeech(silence(1200)));
    const stop = await device.control({ type: "stop" });
    expect(await device.heard()).toMatchObject({ text: "", reason: "nothing-heard", origin: stop });
    expect((await device.answer(isUserSpeaking(false))).origin).toBeUndefined();
  });
});

describe("realtime mode", () => {
  test("words: a barge-in below the new speech comes with them, and the listen goes on", async () => {
    await device.listen("realtime");
    device.send([...say("time"), ...say("joke")]);
    const second = await device.heard(1);
    const bargeIns = device.answers.filter((answer) => answer.type === "barge-in");
    expect(bargeIns).toHaveLength(2);
    expect(bargeIns[1]).toMatchObject({ seq: second.from - 1 });
  });

  test("noise: the user seems to speak and ceases, and nothing else follows", async () => {
    await device.listen("realtime");
    const speech = [loadSpeech("other")];
    device.send(encodeSpeech(createNoise("slams", { level: "middle", seconds: 3, seed: 1, speech })));
    device.send(encodeSpeech(silence(1200)));
    const heard = await device.heard();
    const off = await device.answer(isUserSpeaking(false));
    expect(heard).toMatchObject({ text: "", reason: "nothing-heard" });
    expect(off.origin).toBeUndefined();
    expect(order(device.answers)).not.toContain("barge-in");
  });

  test("what the device says itself: is no question, until its reply has ended", async () => {
    const session = `session-device-${count}`;
    const listen = await device.listen("realtime");
    device.send(say("time", 0).slice(0, 20));
    await device.answer(isUserSpeaking(true));
    await device.control({ type: "abort" });
    const reply = { session, origin: listen, reply: `r${count}`, attempt: 1, sentence: 0, last: true };
    const text = "Say, set a timer for five minutes.";
    await bus.store(channels.sayOpen(`device-${count}`), { ...reply, text }, { id: `said-${count}` });
    device.send(say("timer"));
    expect(await device.heard()).toMatchObject({ text: "", reason: "nothing-heard" });
    const turn = { origin: listen, reply: reply.reply, complete: true, fenced: 0, dropped: 0, late: 0 };
    bus.publish(channels.event(`device-${count}`), { session, at: Date.now(), gateway: "g", turn });
    device.send(say("timer"));
    expect((await device.heard(1)).text).toBe("set a timer for five minutes");
  });
});

describe("abort", () => {
  test.each(["realtime", "auto"] as const)("%s mode: discards what was said, and the listen goes on", async (mode) => {
    const listen = await device.listen(mode);
    device.send(say("volume").slice(0, 25));
    await device.answer(isUserSpeaking(true));
    const abort = await device.control({ type: "abort" });
    await device.answer(isUserSpeaking(false));
    device.send([...encodeSpeech(silence(900)), ...say("joke")]);
    const heard = await device.heard();
    expect(heard).toMatchObject({ text: "tell me a joke", listen, utterance: 1 });
    expect(heard.from).toBeGreaterThan(abort);
  });

  test("in mid-speech: what is said right after it is heard, without a pause between", async () => {
    await device.listen("realtime");
    device.send(say("volume").slice(0, 25));
    await device.answer(isUserSpeaking(true));
    await device.control({ type: "abort" });
    device.send(encodeSpeech(joinSamples(loadSpeech("time"), silence(900))));
    expect((await device.heard()).text).toBe("what time is it");
  });

  test("manual mode: ends the listen, because the button starts the next one", async () => {
    await device.listen("manual");
    device.send(encodeSpeech(silence(300)));
    await device.control({ type: "abort" });
    await expect.poll(() => readMetric("voxbus_asr_listens"), { timeout: 10_000 }).toBe(0);
  });
});

describe("the end of a listen", () => {
  const half = () => say("volume").slice(0, 25);

  test("abort: discards the open utterance, and the next listen starts afresh", async () => {
    await device.listen("auto");
    device.send(half());
    await device.answer(isUserSpeaking(true));
    await device.control({ type: "abort" });
    await device.answer(isUserSpeaking(false));
    device.send(encodeSpeech(silence(900)));
    const listen = await device.listen("auto");
    device.send(say("joke"));
    expect(await device.heard()).toMatchObject({ text: "tell me a joke", listen, utterance: 1 });
  });

  test("a new start: discards the open utterance", async () => {
    await device.listen("auto");
    device.send(half());
    await device.answer(isUserSpeaking(true));
    const listen = await device.listen("auto");
    device.send(say("joke"));
    expect(await device.heard()).toMatchObject({ text: "tell me a joke", listen });
  });

  test("a gateway that says the session is gone: the listen is over", async () => {
    await device.listen("auto");
    device.send(half());
    await device.answer(isUserSpeaking(true));
    device.die();
    await device.answer(isUserSpeaking(false));
    await expect.poll(() => readMetric("voxbus_asr_listens"), { timeout: 10_000 }).toBe(0);
  });

  test("stop in auto mode: the finished utterance is stored", async () => {
    await device.listen("auto");
    device.send(say("joke", 0));
    await device.control({ type: "stop" });
    expect((await device.heard()).text).toBe("tell me a joke");
    await expect.poll(() => readMetric("voxbus_asr_listens"), { timeout: 10_000 }).toBe(0);
  });
});
