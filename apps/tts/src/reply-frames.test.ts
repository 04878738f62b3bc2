import { Outbound } from "@voxbus/protocol";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createReplyFrames } from "./reply-frames.ts";

const audio = { kind: "audio", duration: 60, body: new Uint8Array(3) } as const;

test("reply frames: each is named, a valid envelope, and counted from 0 in its sentence", () => {
  const frames = createReplyFrames({ session: "s", origin: 7, reply: "r", attempt: 2 });
  const named = [0, 0, 1, 1, 1, 3].map((sentence) => frames.add(audio, { sentence }));
  expect(named.map(({ sentence, n }) => [sentence, n])).toEqual([[0, 0], [0, 1], [1, 0], [1, 1], [1, 2], [3, 0]]); // prettier-ignore
  for (const frame of named) {
    expect(Outbound.parse(frame)).toMatchObject({ session: "s", origin: 7, reply: "r", attempt: 2 });
  }
  expect(frames.durationMs).toBe(360);
});

test("reply frames: the frames behind a name come again, and its position is the sound before it", () => {
  const sentences = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 5 });
  const name = fc.record({ attempt: fc.constant(1), sentence: fc.nat(6), n: fc.nat(5) });
  fc.assert(
    fc.property(sentences, name, (sentences, name) => {
      const frames = createReplyFrames({ reply: "r", attempt: 1 });
      const all = sentences.flatMap((count, sentence) =>
        Array.from({ length: count }, () => frames.add(audio, { sentence })),
      );
      const after = frames.after(name);
      expect(after).toEqual(
        all.filter(({ sentence = 0, n = 0 }) => sentence > name.sentence || (sentence === name.sentence && n > name.n)),
      );
      expect(frames.position(name)).toBe((all.length - after.length) * 60);
      expect(frames.after()).toEqual(all);
      expect(frames.position()).toBe(0);
    }),
  );
});
