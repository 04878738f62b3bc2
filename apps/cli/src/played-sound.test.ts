import type { OutAudio, TurnPlayed } from "@voxbus/protocol";
import { expect, test } from "vitest";
import { createPlayedSound } from "./played-sound.ts";

const frame = (sentence: number, n: number, more: Partial<OutAudio> = {}): OutAudio => ({
  reply: "r1",
  attempt: 1,
  sentence,
  n,
  kind: "audio",
  duration: 60,
  body: Uint8Array.of(sentence, n),
  ...more,
});
const turn = (more: Partial<TurnPlayed>): TurnPlayed => ({
  reply: "r1",
  complete: true,
  fenced: 0,
  dropped: 0,
  late: 0,
  ...more,
});
const packets = (list: readonly Uint8Array[]) => list.map((packet) => [...packet]);

test("played sound: a reply comes at its end, up to the last frame that was played, each frame once and in order", () => {
  const played = createPlayedSound();
  for (const one of [frame(0, 2), frame(0, 3), frame(1, 0), frame(0, 4), frame(0, 3, { attempt: 2 }), frame(1, 1)]) {
    expect(played.add(one)).toEqual([]);
  }
  expect(packets(played.end(turn({ played: [1, 0] })))).toEqual([
    [0, 2],
    [0, 3],
    [0, 4],
    [1, 0],
  ]);
  expect(played.end(turn({ played: [1, 0] }))).toEqual([]);
});

test("played sound: a reply that was not begun, and an end without a reply, give nothing", () => {
  const played = createPlayedSound();
  played.add(frame(0, 0));
  expect(played.end(turn({ reply: undefined, origin: 7, played: [0, 0] }))).toEqual([]);
  expect(played.end(turn({ complete: false, reason: "fenced" }))).toEqual([]);
  expect(played.end(turn({ played: [0, 0] }))).toEqual([]);
});

test("played sound: live audio comes at once", () => {
  const live = frame(0, 0, { reply: undefined, sentence: undefined, n: undefined });
  expect(packets(createPlayedSound().add(live))).toEqual([[0, 0]]);
});

test("played sound: the frames are copies, because the message's bytes are used again", () => {
  const played = createPlayedSound();
  const body = Uint8Array.of(1);
  played.add(frame(0, 0, { body }));
  body[0] = 2;
  expect(packets(played.end(turn({ played: [0, 0] })))).toEqual([[1]]);
});

test("played sound: it keeps 64 replies of 20,000 frames, and counts what it gives up", () => {
  const played = createPlayedSound();
  for (let n = 0; n < 20_003; n += 1) played.add(frame(0, n));
  expect(played.dropped()).toBe(3);
  expect(played.end(turn({ played: [9, 0] }))).toHaveLength(20_000);
  for (let at = 0; at <= 64; at += 1) played.add(frame(0, 0, { reply: `reply${at}` }));
  expect(played.dropped()).toBe(4);
  expect(played.end(turn({ reply: "reply0", played: [0, 0] }))).toEqual([]);
  expect(played.end(turn({ reply: "reply1", played: [0, 0] }))).toHaveLength(1);
});
