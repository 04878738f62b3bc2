import { channels, type InControlFrame, type InText } from "@voxbus/protocol";
import { startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Bus } from "../bus.ts";
import { connectOwnBus } from "../test-bus.ts";

let server: NatsServer;
let bus: Bus;
beforeAll(async () => {
  server = await startNatsServer();
  bus = await connectOwnBus(server.url);
});
afterAll(async () => {
  await bus.close();
  await server.stop();
});

test("streams: a device that floods its subjects drops its own oldest messages, not the open listen of another", async () => {
  const open: InControlFrame = {
    session: "s1",
    seq: 1,
    at: 0,
    kind: "control",
    body: { type: "listen", mode: "auto", gateway: "g1" },
  };
  await bus.store(channels.inControlOpen("bystander"), open);
  const flood = Array.from({ length: 1000 }, (_, n): InText => ({ ...open, seq: n + 1, kind: "text", body: "hello" }));
  await Promise.all(flood.map((text) => bus.store(channels.inText("flood"), text)));
  const { messages } = await bus.stored(channels.inText("flood"), 2000);
  expect(messages.map(({ seq }) => seq)).toEqual(flood.slice(-256).map(({ seq }) => seq));
  expect((await bus.lastStored(channels.inControlOpen("bystander"))).message).toMatchObject({ seq: 1 });
});
