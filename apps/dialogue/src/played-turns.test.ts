import type { Bus } from "@voxbus/bus";
import { buckets, channels, type TurnPlayed } from "@voxbus/protocol";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createHistory, type History } from "./history.ts";
import { recordPlayedTurns } from "./played-turns.ts";

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

const publish = (device: string, turn: Partial<TurnPlayed>) => {
  const whole = { complete: false, reason: "fenced", fenced: 9, dropped: 0, late: 0, ...turn };
  bus.publish(channels.event(device), { session: "s", at: 5, gateway: "g", turn: whole });
};

test("played turns: an interrupted answer ends with its last sentence that was heard; one of two processes writes it", async () => {
  const history = createHistory(bus);
  const written: string[] = [];
  const counting: History = {
    ...history,
    add: (device, part) => {
      written.push(`${part.origin} ${part.heard} ${part.end}`);
      return history.add(device, part);
    },
  };
  const processes = [recordPlayedTurns(bus, counting), recordPlayedTurns(bus, counting)];
  await bus.flush();
  const said = ["One.", "Two.", "Three.", "Four.", "Five."];
  await history.add("d", { session: "s", origin: 10, user: "a story", said });
  publish("d", { origin: 10, reply: "s:10", played: [1, 0], sentence: 0 });
  publish("d", { origin: 11, reply: "of-another-program", sentence: 0 });
  publish("d", { reply: "announcement", sentence: 0 });
  publish("d", { origin: 12, reply: "s:12", complete: true, sentence: 0 });
  publish("d", { origin: 13, reason: "deadline" });
  publish("d", { origin: 14, reason: "shed" });
  bus.publish(channels.event("d"), { session: "s", at: 5, gateway: "g", state: "active" });
  await expect.poll(() => written.toSorted()).toEqual(["10 1 interrupted", "13 0 failed", "14 0 failed"]);
  const turns = async () => (await bus.bucket(buckets.dialogues).get("d"))?.value?.turns ?? [];
  await expect.poll(async () => (await turns()).length).toBe(3);
  expect((await turns())[0]).toMatchObject({ user: "a story", said: ["One."], heard: 1, end: "interrupted" });
  for (const process of processes) process.close();
});

test("played turns: an answer that the device's end left unfinished, and one that never sounded", async () => {
  const history = createHistory(bus);
  const recording = recordPlayedTurns(bus, history);
  await bus.flush();
  await history.add("e", { session: "s", origin: 10, user: "a story", said: ["One.", "Two."] });
  await history.add("e", { session: "s", origin: 20, user: "again", said: ["One.", "Two."] });
  publish("e", { origin: 10, reply: "s:10", sentence: 1, reason: "closed" });
  publish("e", { origin: 20, reply: "s:20", played: [0, 1] });
  const texts = async () => (await history.read("e")).map(({ text }) => text);
  await expect.poll(texts).toEqual(["a story", "One. Two.", "again", ""]);
  recording.close();
});
