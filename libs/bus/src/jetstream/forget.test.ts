import { channels } from "@voxbus/protocol";
import { connectTestBus, startNatsServer } from "@voxbus/testing";
import { expect, it, onTestFinished } from "vitest";

it("forget: removes every stored message of one device, and of no other, and the device may go on", async () => {
  const nats = await startNatsServer();
  onTestFinished(() => nats.stop());
  const bus = await connectTestBus(nats.url);
  onTestFinished(() => bus.close());
  const say = { session: "s", reply: "r", attempt: 1, sentence: 1, text: "hello", last: true };
  const text = { session: "s", seq: 1, at: 0, kind: "text" as const, body: "hello" };
  const store = async (device: string) => {
    await bus.store(channels.inText(device), text);
    await bus.store(channels.say(device), say);
  };
  const count = async (device: string) => {
    const found = await Promise.all([bus.stored(channels.inText(device), 10), bus.stored(channels.say(device), 10)]);
    return found.map(({ messages }) => messages.length);
  };
  // The id of one begins with that of the other.
  await Promise.all(["a:b", "a:b:c"].map(store));
  await bus.forget("a:b");
  expect([await count("a:b"), await count("a:b:c")]).toEqual([
    [0, 0],
    [1, 1],
  ]);
  await store("a:b");
  expect(await count("a:b")).toEqual([1, 1]);
  await bus.forget("never-seen");
});
