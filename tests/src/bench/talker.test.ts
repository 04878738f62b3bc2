import { expect, test } from "vitest";
import type { LoadDevice } from "./device.ts";
import { Talker, type Speech, type TalkedTurn } from "./talker.ts";
import { summarize } from "./turns.ts";

/** A connection whose server is the test. `sent` holds the texts that the device sent, and the number of its packets. */
function openFake() {
  const sent = { texts: [] as { readonly type: string; readonly state?: string }[], packets: 0 };
  const device: LoadDevice = {
    id: "fake",
    open: true,
    session: "session",
    onBinary: () => undefined,
    onText: () => undefined,
    onClose: () => undefined,
    send: () => undefined,
    sendEncoded: () => void (sent.packets += 1),
    sendText: (text) => void sent.texts.push(JSON.parse(text) as (typeof sent.texts)[number]),
    close: () => undefined,
  };
  const speech: Speech = { frame: () => Buffer.alloc(8), voiced: 2 };
  const say = (message: object) => device.onText(JSON.stringify(message));
  const sentence = (text: string) => say({ type: "tts", state: "sentence_start", text });
  const play = () => device.onBinary(Buffer.alloc(8));
  return { talker: new Talker(device, speech), device, sent, say, sentence, play };
}

const start = { type: "tts", state: "start" };
const stop = { type: "tts", state: "stop" };
const noted = { type: "alert", status: "Busy", message: "One moment, I am busy." };

test("talker: a typed turn ends answered, with the gaps between its packets", async () => {
  const { talker, sent, say, sentence, play } = openFake();
  const turn = talker.hold("typed");
  expect(sent.texts).toMatchObject([{ type: "listen", state: "detect" }]);
  play();
  say(start);
  sentence("Answer number 1.");
  for (let n = 0; n < 3; n += 1) play();
  say(stop);
  expect(await turn).toMatchObject({ ending: "answered", told: undefined, silence: undefined });
  expect((await turn).gaps).toHaveLength(2);
});

test("talker: a spoken turn sends packets in real time until the answer starts", async () => {
  const { talker, sent, say, sentence, play } = openFake();
  const turn = talker.hold("spoken");
  await expect.poll(() => sent.packets, { timeout: 5000 }).toBeGreaterThan(3);
  say({ type: "stt", text: "hello" });
  say(start);
  const { packets } = sent;
  sentence("Answer number 2.");
  play();
  say(stop);
  const { ending, transcript, firstSound } = await turn;
  expect(ending).toBe("answered");
  expect(firstSound).toBeGreaterThanOrEqual(transcript!);
  expect(sent.packets).toBe(packets);
});

test("talker: an aborted turn is silent after the last packet and the stop, whichever comes later", async () => {
  const { talker, sent, say, sentence, play } = openFake();
  const turn = talker.hold("aborted");
  say(start);
  sentence("Answer number 3.");
  play();
  await expect.poll(() => sent.texts.at(-1)?.type, { timeout: 5000 }).toBe("abort");
  say(stop);
  await new Promise((resolve) => setTimeout(resolve, 100));
  play();
  const { ending, silence } = await turn;
  expect(ending).toBe("answered");
  expect(silence).toBeGreaterThanOrEqual(99);
});

test("talker: the sound of a notice is no answer, and the answer after it counts apart", async () => {
  const { talker, say, sentence, play } = openFake();
  const turn = talker.hold("typed");
  say(noted);
  say(start);
  play();
  sentence("One moment, I am busy.");
  play();
  say(stop);
  say(start);
  sentence("Answer number 4.");
  play();
  say(stop);
  const ended = await turn;
  expect(ended).toMatchObject({ ending: "answered", gaps: [] });
  expect(ended.told).toBeLessThanOrEqual(ended.firstSound!);
  const { text, late, told, untold } = summarize([{ ...ended, began: 0, ended: 1 }]);
  expect([text.count, late, told.count, untold]).toEqual([0, 1, 1, 0]);
});

test("talker: the alert of an apology is no notice", async () => {
  const { talker, say, play } = openFake();
  const turn = talker.hold("typed");
  say({ type: "alert", status: "Sorry", message: "Something went wrong. Please try again." });
  say(start);
  play();
  say(stop);
  expect(await turn).toMatchObject({ ending: "apologized", told: undefined });
});

test.each<[string, object[], string]>([
  ["shed", [noted, start, { ...start, state: "sentence_start", text: "Sorry, I am too busy. Please try again later." }, stop], "shed"],
  ["apologized", [start, { ...start, state: "sentence_start", text: "I am sorry, I cannot answer right now." }, { play: true }, stop], "apologized"],
  ["apologized, by the gateway itself", [start, { play: true }, stop], "apologized"],
  ["silent", [start, stop], "silent"],
  ["lost", [start, { close: true }], "lost"],
])("talker: a turn without an answer is %s", async (_, messages, ending) => {
  const { talker, device, say, play } = openFake();
  const turn = talker.hold("typed");
  for (const message of messages) {
    if ("play" in message) play();
    else if ("close" in message) device.onClose();
    else say(message);
  }
  expect((await turn).ending).toBe(ending);
}); // prettier-ignore

test("turns: one that is answered late without a notice counts as not told", () => {
  const turn: TalkedTurn = {
    kind: "spoken",
    ending: "answered",
    transcript: 700,
    firstSound: 800,
    gaps: [60, 70, 130],
  };
  const timed = (one: TalkedTurn) => ({ ...one, began: 0, ended: 1 });
  const late = { ...turn, firstSound: 3000 };
  const { untold, beyond, over65, over120, ended } = summarize([turn, late].map(timed));
  expect(untold).toBe(1);
  expect([beyond.p50, beyond.p99]).toEqual([100, 2300]);
  expect([over65, over120]).toEqual([2 / 3, 1 / 3]);
  expect(ended).toEqual({ answered: 2, apologized: 0, shed: 0, silent: 0, lost: 0 });
});
