import { channels, type Say, type TurnPlayed } from "@voxbus/protocol";
import { connectTestBus, startNatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { followSaid } from "./said.ts";

const session = "now";
let nats: Awaited<ReturnType<typeof startNatsServer>>;
let bus: Awaited<ReturnType<typeof connectTestBus>>;

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

/** Follows a device that is told to say "one" for the turn 5, and "two" for the turn 7. */
async function follow(device: string) {
  const said = followSaid(bus, { device, session });
  const say = async (origin: number, text: string) => {
    const sentence: Say = { session, origin, reply: `r-${origin}`, attempt: 1, sentence: 0, text, last: true };
    await bus.store(channels.sayOpen(device), sentence, { id: `${device}:${text}` });
  };
  const end = (turn: Pick<TurnPlayed, "origin" | "reply">, from = session) => {
    const event = { complete: false, fenced: 0, dropped: 0, late: 0, ...turn };
    bus.publish(channels.event(device), { session: from, at: Date.now(), gateway: "g", turn: event });
  };
  await say(5, "one");
  await say(7, "two");
  await vi.waitFor(() => expect(said.since(0)).toEqual(["one", "two"]));
  return { said, say, end, now: () => said.since(performance.now()) };
}

test("said: the end of a turn ends its reply and those before it, whether it names one or not", async () => {
  for (const [device, turn] of Object.entries({ a: { origin: 5, reply: "r-5" }, b: { origin: 5 }, c: { origin: 6 } })) {
    const { said, end, now } = await follow(device);
    end(turn);
    await vi.waitFor(() => expect(now()).toEqual(["two"]));
    said.close();
  }
});

test("said: a sentence that comes after the end of its turn is not said", async () => {
  const { said, say, end, now } = await follow("d");
  end({ origin: 7 });
  await vi.waitFor(() => expect(now()).toEqual([]));
  await say(6, "late");
  await say(8, "next");
  await vi.waitFor(() => expect(now()).toEqual(["next"]));
  said.close();
});

test("said: the turns of an earlier session end nothing", async () => {
  const { said, end, now } = await follow("e");
  end({ origin: 900 }, "before");
  end({ origin: 5 });
  await vi.waitFor(() => expect(now()).toEqual(["two"]));
  said.close();
});
