import type { Bus } from "@voxbus/bus";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { channels, type Say } from "@voxbus/protocol";
import { ulid } from "ulid";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LostReplyError, openReplyWriter } from "./reply-writer.ts";

const never = new AbortController().signal;
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

const createTurn = (origin = 10, session = ulid(), device = `test-${session}`) => {
  return { device, session, origin };
};
const open = (turn: ReturnType<typeof createTurn>) =>
  openReplyWriter(bus, turn, { attempt: 1, since: Date.now() - 300_000, trace: {} }, never);
const announce = (device: string) => {
  const say: Say = { reply: ulid(), attempt: 1, sentence: 0, text: "Dinner!", last: true };
  return bus.store(channels.sayOpen(device), say);
};
async function readTexts(device: string) {
  const stored = await Promise.all(
    [channels.sayOpen(device), channels.say(device)].map((subject) => bus.stored(subject, 100)),
  );
  return stored.flatMap(({ messages }) => messages.map(({ text }) => text));
}

test("reply: of two writers one stops, at the first sentence and later", async () => {
  const turn = createTurn();
  const [one, other] = await Promise.all([open(turn), open(turn)]);
  await one.write("One.", { last: false });
  await expect(other.write("Other.", { last: false })).rejects.toThrow(LostReplyError);

  const third = await open(turn);
  expect(third.sentences).toEqual(["One."]);
  await third.write("Two.", { last: false });
  await expect(one.write("Also two.", { last: false })).rejects.toThrow(LostReplyError);
  await third.write("", { last: true });
  expect(await readTexts(turn.device)).toEqual(["One.", "Two.", ""]);
  expect((await open(turn)).ended).toBe(true);
});

test("reply: announcements and other sessions in between do not stop it", async () => {
  const turn = createTurn();
  const reply = await open(turn);
  await announce(turn.device);
  await reply.write("One.", { last: false });
  await announce(turn.device);
  const other = await open(createTurn(99, ulid(), turn.device));
  expect(other.superseded).toBe(false);
  await other.write("Elsewhere.", { last: false });
  await other.write("Elsewhere two.", { last: true });
  await reply.write("Two.", { last: true });
  expect((await open(turn)).sentences).toEqual(["One.", "Two."]);
});

test("reply: a newer reply of the session supersedes one without a sentence, but not one with sentences", async () => {
  const older = createTurn(10);
  const [begun, waiting, newer] = await Promise.all([
    open(older),
    open({ ...older, origin: 15 }),
    open({ ...older, origin: 20 }),
  ]);
  await begun.write("One.", { last: false });
  await newer.write("New.", { last: true });
  await begun.write("Two.", { last: true });
  await expect(waiting.write("Too late.", { last: true })).rejects.toThrow(LostReplyError);
  expect(await open({ ...older, origin: 15 })).toMatchObject({ superseded: true, answered: 10 });
});
