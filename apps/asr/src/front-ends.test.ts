import { encodeSpeech, silence, silentLog } from "@voxbus/testing";
import { readClock } from "@voxbus/workers";
import { expect, onTestFinished, test } from "vitest";
import { createFrontEnds } from "./front-ends.ts";

const never = new AbortController().signal;
const request = { endMs: 600, pauseMs: 300, maxMs: 30_000 };

async function start(options: { listens: number; threads: number; listensPerThread?: number }) {
  const frontEnds = createFrontEnds({ ...options, log: silentLog });
  onTestFinished(() => frontEnds.pool.close());
  await frontEnds.pool.ready();
  return frontEnds;
}

test("front ends: one thread starts, and as many as the listens need memory of", async () => {
  expect((await start({ listens: 4000, threads: 4 })).pool.threads).toBe(1);
  expect((await start({ listens: 4501, threads: 4 })).pool.threads).toBe(2);
});

test("front ends: another thread starts when each has its usual number of listens, up to the most", async () => {
  const { open, pool } = await start({ listens: 100, threads: 2, listensPerThread: 2 });
  const threads = [1, 2, 3, 4, 5, 6].map(() => {
    void open(request, never);
    return pool.threads;
  });
  expect(threads).toEqual([1, 1, 2, 2, 2, 2]);
});

test("front ends: a thread tells that it is behind when packets come late to it", async () => {
  const { open } = await start({ listens: 100, threads: 2 });
  const task = open(request, never);
  const packet = encodeSpeech(silence(60))[0]!;
  const write = (seq: number, lateMs: number) =>
    task.write({ type: "packet", seq, packet: packet.slice(), sentAt: readClock() - lateMs });
  let seq = 0;
  const sending = setInterval(() => write((seq += 1), 200), 60);
  onTestFinished(() => clearInterval(sending));
  for await (const events of task.results) {
    expect(events).toEqual([{ type: "behind" }]);
    break;
  }
});
