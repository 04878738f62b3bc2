import { channels } from "@voxbus/protocol";
import { startNatsServer } from "@voxbus/testing";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { connectOwnBus } from "../test-bus.ts";
import { createNatsClock } from "./clock.ts";

afterEach(() => vi.restoreAllMocks());

test("now: it is the time of NATS, whatever this machine's clock says", async () => {
  const server = await startNatsServer();
  onTestFinished(() => server.stop());
  const right = Date.now.bind(Date);
  vi.spyOn(Date, "now").mockImplementation(() => right() - 5 * 3_600_000);
  const bus = await connectOwnBus(server.url);
  // nats-server runs on this machine, by the right clock.
  expect(Math.abs(bus.now() - right())).toBeLessThan(100);
  const text = { session: "s1", seq: 1, at: 0, kind: "text", body: "hello" } as const;
  await bus.store(channels.inText("d1"), text);
  const { messages } = await bus.stored(channels.inText("d1"), { limit: 1, from: { time: bus.now() - 1000 } });
  expect(messages).toHaveLength(1);
  await bus.close();
});

test("now: of two answers the quicker one counts, until it is old", () => {
  const clock = createNatsClock();
  let at = 1000;
  vi.spyOn(performance, "now").mockImplementation(() => at);
  const answer = (time: number, tookMs: number) => clock.learn(new Date(time).toISOString(), at - tookMs);
  answer(50_000, 2);
  expect(clock.now()).toBe(50_001);
  answer(90_000, 400);
  expect(clock.now()).toBe(50_001);
  clock.learn(undefined, at);
  clock.learn("no time", at);
  at += 1_000_000;
  expect(clock.now()).toBe(1_050_001);
  answer(2_000_000, 400);
  expect(clock.now()).toBe(2_000_200);
});
