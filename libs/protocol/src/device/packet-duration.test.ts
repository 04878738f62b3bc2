import { expect, test } from "vitest";
import { packetDuration } from "./packet-duration.ts";

const packet = (config: number, code: number, ...rest: number[]) => Uint8Array.of((config << 3) | code, ...rest);

test.each([
  ["SILK of 60 ms, one frame", packet(3, 0, 1, 2), 60],
  ["SILK wideband of 20 ms, one frame", packet(9, 0), 20],
  ["hybrid of 10 ms, two frames", packet(14, 1, 1, 2), 20],
  ["hybrid of 20 ms, two frames", packet(15, 2, 1, 2), 40],
  ["CELT of 2.5 ms, one frame", packet(28, 0, 1), 2.5],
  ["CELT of 20 ms, three frames", packet(31, 3, 3, 1, 1, 1), 60],
  ["six frames of 20 ms, the longest packet", packet(31, 3, 6), 120],
])("packet duration: %s", (_, bytes, ms) => {
  expect(packetDuration(bytes)).toBe(ms);
});

test.each([
  ["nothing", new Uint8Array(), 10],
  ["no frame count", packet(31, 3), 2.5],
  ["63 frames of 60 ms", packet(3, 3, 63), 120],
])("packet duration: a damaged packet (%s) has one too", (_, bytes, ms) => {
  expect(packetDuration(bytes)).toBe(ms);
});
