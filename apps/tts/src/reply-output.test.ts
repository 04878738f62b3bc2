import type { Bus } from "@voxbus/bus";
import { connectTestBus, silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { readClock } from "@voxbus/workers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createReplyOutput, type ReplyOutput } from "./reply-output.ts";

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

const open = (attempt = 1) =>
  createReplyOutput({ bus, log: silentLog, device: "d", name: { session: "s", reply: "r", attempt }, trace: {} });

function sendSound(output: ReplyOutput, sentence: number, packets: number): void {
  for (let i = 0; i < packets; i += 1)
    output.send({ kind: "audio", duration: 60, body: new Uint8Array(9) }, { sentence });
}

/** Tells how far the deadline of a sentence is ahead, in ms. */
function aheadMs(output: ReplyOutput, sentence: number): number {
  return output.deadline(sentence).due - readClock();
}

test("reply output: the first sound is due at once, later sound when the sound before it ends", () => {
  const output = open();
  expect(aheadMs(output, 0)).toBeLessThanOrEqual(0);
  output.send({ kind: "text", body: { type: "llm", emotion: "happy" } }, { sentence: 0 });
  expect(aheadMs(output, 0)).toBeLessThanOrEqual(0);
  sendSound(output, 0, 100);
  expect(aheadMs(output, 1)).toBeGreaterThan(5000);
  expect(aheadMs(output, 1)).toBeLessThanOrEqual(6000);
  expect(output.deadline(1).heardMs).toBe(0);
});

test("reply output: a listener who ran dry plays on from the next sound, and a resend begins where the gateway is", () => {
  const output = open();
  sendSound(output, 0, 1);
  const until = readClock() + 500;
  while (readClock() < until);
  sendSound(output, 1, 100);
  expect(aheadMs(output, 2)).toBeGreaterThan(5600);
  output.resend({ attempt: 1, sentence: 1, n: 49 });
  expect(aheadMs(output, 2)).toBeGreaterThan(2000);
  expect(aheadMs(output, 2)).toBeLessThanOrEqual(3000);
});

test("reply output: a successor makes the sound that the gateway has without a pause, and then in time", () => {
  const output = open(2);
  output.resend({ attempt: 1, sentence: 1, n: 49 });
  expect(output.deadline(0)).toMatchObject({ heardMs: Infinity });
  sendSound(output, 0, 30);
  expect(output.deadline(1)).toMatchObject({ heardMs: 3000 });
  sendSound(output, 1, 50);
  expect(aheadMs(output, 1)).toBeLessThanOrEqual(0);
  sendSound(output, 1, 10);
  expect(output.deadline(1).heardMs).toBe(0);
  expect(aheadMs(output, 1)).toBeGreaterThan(100);
  expect(aheadMs(output, 2)).toBeLessThanOrEqual(600);
});
