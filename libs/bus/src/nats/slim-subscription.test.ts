import { connect } from "@nats-io/transport-node";
import { startNatsServer } from "@voxbus/testing";
import { expect, it } from "vitest";
import { slimSubscription } from "./slim-subscription.ts";

it("a slim subscription: gets its messages until its end, keeps no promise, and lets its connection drain", async () => {
  const nats = await startNatsServer();
  const nc = await connect({ servers: nats.url });
  const got: string[] = [];
  const open = (name: string) =>
    slimSubscription(
      nc.subscribe("room", { callback: (_err, message) => void got.push(`${name}: ${message.string()}`) }),
    );
  const [first, second] = [open("first"), open("second")];
  // With another nats.js the memory of each device's subscription may grow again.
  expect(Object.values(first).filter((value) => value instanceof Promise)).toEqual([]);
  nc.publish("room", "one");
  await nc.flush();
  first.unsubscribe();
  expect([first.isClosed(), second.isClosed()]).toEqual([true, false]);
  nc.publish("room", "two");
  await nc.flush();
  // nats-server promises no order between two subscriptions.
  expect(got.toSorted()).toEqual(["first: one", "second: one", "second: two"]);
  await nc.drain();
  expect(second.isClosed()).toBe(true);
  await nats.stop();
});
