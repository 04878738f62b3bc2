import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createEndOfSpeechDetector, type SpeechState } from "./end-of-speech.ts";

const run = (pattern: string, options?: Parameters<typeof createEndOfSpeechDetector>[0]): SpeechState[] => {
  const detector = createEndOfSpeechDetector(options);
  return Array.from(pattern, (frame) => detector.write(frame === "v"));
};

const states = (pattern: string, options?: Parameters<typeof createEndOfSpeechDetector>[0]) =>
  run(pattern, options)
    .map((event) => event.state[1])
    .join("");

test("end of speech: an utterance begins with enough voice and ends with enough silence", () => {
  const events = run(`...vvvvv..${".".repeat(28)}`);
  expect(events[6]).toEqual({ state: "silence" });
  expect(events[7]).toEqual({ state: "onset", frames: 5 });
  expect(events[8]).toEqual({ state: "speech", trailing: 1 });
  expect(events[36]).toEqual({ state: "speech", trailing: 29 });
  expect(events[37]).toEqual({ state: "end", reason: "silence", trailing: 30 });
});

test("end of speech: a gap in the onset costs as much as it is long", () => {
  expect(run("vv.vvvv")[6]).toEqual({ state: "onset", frames: 7 });
  expect(states("v.v.v.v.v.v.v.v.")).toBe("i".repeat(16));
});

test("end of speech: a pause shorter than the end keeps the utterance open", () => {
  expect(states("vvvvv" + ".".repeat(29) + "v" + ".".repeat(30))).toBe(
    "iiiin" + "p".repeat(29) + "p" + "p".repeat(29) + "n",
  );
});

test("end of speech: an utterance is cut at its maximum length and the next may begin", () => {
  const events = run("v".repeat(60), { maxMs: 1000 });
  expect(events[49]).toEqual({ state: "end", reason: "length", trailing: 0 });
  expect(events[54]).toEqual({ state: "onset", frames: 5 });
});

test("end of speech: another pause is for once, until voice is heard again", () => {
  const detector = createEndOfSpeechDetector();
  const write = (pattern: string) => Array.from(pattern, (frame) => detector.write(frame === "v").state).at(-1);
  write("vvvvv....");
  detector.endAfter(900);
  expect(write(".".repeat(40))).toBe("speech");
  expect(write(`v${".".repeat(29)}`)).toBe("speech");
  detector.endAfter(200);
  expect(write(".")).toBe("end");
});

test("end of speech: a reset discards the utterance", () => {
  const detector = createEndOfSpeechDetector();
  for (let i = 0; i < 10; i++) detector.write(true);
  expect(detector.speaking).toBe(true);
  detector.reset();
  expect(detector.speaking).toBe(false);
  expect(detector.write(false)).toEqual({ state: "silence" });
});

test("end of speech: any input gives onset, speech, end in this order, and no utterance over the maximum", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 400 }), (frames) => {
      const detector = createEndOfSpeechDetector({ maxMs: 1000 });
      let length = 0;
      for (const voiced of frames) {
        const before = detector.speaking;
        const event = detector.write(voiced);
        expect(event.state === "onset" || event.state === "silence").toBe(!before);
        expect(detector.speaking).toBe(event.state === "onset" || event.state === "speech");
        length = detector.speaking ? length + 1 : 0;
        expect(length * 20).toBeLessThan(1000);
      }
    }),
  );
});
