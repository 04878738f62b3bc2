import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createEndpointer, type Endpoint } from "./end-of-speech.ts";

const run = (pattern: string, options?: Parameters<typeof createEndpointer>[0]): Endpoint[] => {
  const endpointer = createEndpointer(options);
  return Array.from(pattern, (frame) => endpointer.write(frame === "v"));
};

const states = (pattern: string, options?: Parameters<typeof createEndpointer>[0]) =>
  run(pattern, options)
    .map((event) => event.state[1])
    .join("");

test("endpointer: an utterance begins with enough voice and ends with enough silence", () => {
  const events = run(`...vvvvv..${".".repeat(28)}`);
  expect(events[6]).toEqual({ state: "silence" });
  expect(events[7]).toEqual({ state: "onset", frames: 5 });
  expect(events[8]).toEqual({ state: "speech" });
  expect(events[36]).toEqual({ state: "speech" });
  expect(events[37]).toEqual({ state: "end", reason: "silence", trailing: 30 });
});

test("endpointer: a gap in the onset costs as much as it is long", () => {
  expect(run("vv.vvvv")[6]).toEqual({ state: "onset", frames: 7 });
  expect(states("v.v.v.v.v.v.v.v.")).toBe("i".repeat(16));
});

test("endpointer: a pause shorter than the end keeps the utterance open", () => {
  expect(states("vvvvv" + ".".repeat(29) + "v" + ".".repeat(30))).toBe(
    "iiiin" + "p".repeat(29) + "p" + "p".repeat(29) + "n",
  );
});

test("endpointer: an utterance is cut at its greatest length and the next may begin", () => {
  const events = run("v".repeat(60), { maxMs: 1000 });
  expect(events[49]).toEqual({ state: "end", reason: "length", trailing: 0 });
  expect(events[54]).toEqual({ state: "onset", frames: 5 });
});

test("endpointer: a reset discards the utterance", () => {
  const endpointer = createEndpointer();
  for (let i = 0; i < 10; i++) endpointer.write(true);
  expect(endpointer.speaking).toBe(true);
  endpointer.reset();
  expect(endpointer.speaking).toBe(false);
  expect(endpointer.write(false)).toEqual({ state: "silence" });
});

test("endpointer: any input gives onset, speech, end in this order, and no utterance over the maximum", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 400 }), (frames) => {
      const endpointer = createEndpointer({ maxMs: 1000 });
      let length = 0;
      for (const voiced of frames) {
        const before = endpointer.speaking;
        const event = endpointer.write(voiced);
        expect(event.state === "onset" || event.state === "silence").toBe(!before);
        expect(endpointer.speaking).toBe(event.state === "onset" || event.state === "speech");
        length = endpointer.speaking ? length + 1 : 0;
        expect(length * 20).toBeLessThan(1000);
      }
    }),
  );
});
