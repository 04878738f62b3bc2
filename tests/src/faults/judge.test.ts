import { expect, test } from "vitest";
import { createEar, type Exchange } from "./ear.ts";
import { judgeExchange, type References } from "./judge.ts";

const packets = (name: string, count: number) => Array.from({ length: count }, (_, n) => Buffer.from(`${name} ${n}`));
const [one, two, lostThread] = [packets("one", 4), packets("two", 3), packets("thread", 2)];
const [ready, notice] = [packets("ready", 3), packets("notice", 3)];
const apology = "I am sorry, I lost my thread.";
const references: References = {
  answers: new Map([["what", ["One.", "Two."]]]),
  packets: new Map([
    ["One.", one],
    ["Two.", two],
    [apology, lostThread],
  ]),
  apologies: [ready],
  notice,
};

type Step = string | readonly Buffer[];

/** Feeds an ear with an exchange. A string is a subtitle. */
function hear(...steps: readonly Step[]) {
  const strays: string[] = [];
  let exchange: Exchange | undefined;
  const ear = createEar({
    started: () => undefined,
    sound: () => undefined,
    sign: () => undefined,
    stopped: (stopped) => void (exchange = stopped),
    stray: (problem) => strays.push(problem),
  });
  ear.text({ type: "tts", state: "start" });
  for (const step of steps) {
    if (typeof step === "string") ear.text({ type: "tts", state: "sentence_start", text: step });
    else for (const packet of step) ear.audio(packet);
  }
  ear.text({ type: "tts", state: "stop" });
  return { ear, strays, exchange: exchange! };
}
const judge = (...steps: readonly Step[]) => judgeExchange("what", hear(...steps).exchange, references);

test("fault checker: a complete answer and nothing else is `answered`", () => {
  expect(judge("One.", one, "Two.", two)).toMatchObject({ outcome: "answered", doubled: 0 });
});

test("fault checker: an answer that stops early, lacks a packet or is another one is `lost`", () => {
  expect(judge("One.", one)).toMatchObject({ outcome: "lost" });
  expect(judge("One.", one, "Two.", two.slice(0, -1))).toMatchObject({ outcome: "lost" });
  expect(judge("One.", [one[0]!, one[2]!, one[3]!], "Two.", two)).toMatchObject({ outcome: "lost", doubled: 0 });
  expect(judge("Two.", two, "One.", one)).toMatchObject({ outcome: "lost" });
  expect(judge("One.", packets("else", 4), "Two.", two)).toMatchObject({ outcome: "lost" });
  expect(judge()).toMatchObject({ outcome: "lost" });
});

test("fault checker: words that tell of a wait are no part of the answer", () => {
  expect(judge(notice, "One.", one, "Two.", two)).toMatchObject({ outcome: "answered", doubled: 0 });
  expect(judge(notice, "One.", one)).toMatchObject({ outcome: "lost" });
  expect(judge(notice, ready)).toMatchObject({ outcome: "apologized" });
});

test("fault checker: it counts packets and sentences that come twice", () => {
  expect(judge("One.", [...one, one[2]!], "Two.", two)).toMatchObject({ doubled: 1 });
  expect(judge("One.", one, "Two.", two, "Two.")).toMatchObject({ doubled: 1 });
  expect(judge("One.", [one[0]!, one[1]!, ...one], "Two.", two)).toMatchObject({ doubled: 2 });
});

test("fault checker: a complete apology or an alert is `apologized`", () => {
  expect(judge("One.", one, apology, lostThread)).toMatchObject({ outcome: "apologized" });
  expect(judge("One.", one, apology, lostThread.slice(0, 1))).toMatchObject({ outcome: "lost" });
  expect(judge("One.", one.slice(0, 2), ready)).toMatchObject({ outcome: "apologized" });
  expect(judge(ready)).toMatchObject({ outcome: "apologized" });
  expect(judge(ready.slice(0, 2))).toMatchObject({ outcome: "lost" });
});

test("fault checker: sound and stops outside tts/start and tts/stop are strays, except the stop after an abort", () => {
  const { ear, strays } = hear("One.", one);
  expect(strays).toEqual([]);
  ear.audio(one[0]!);
  ear.text({ type: "tts", state: "stop" });
  expect(strays).toEqual(["sound without tts/start", "tts/stop without tts/start"]);
  ear.abort();
  ear.text({ type: "tts", state: "stop" });
  expect(strays).toHaveLength(2);
  ear.text({ type: "tts", state: "start" });
  ear.text({ type: "tts", state: "start" });
  expect(strays.at(-1)).toBe("tts/start twice");
});
