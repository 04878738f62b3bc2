import { channels, type BadMessage, type Stats } from "@voxbus/protocol";
import { startSubscriber, z } from "@voxbus/subscriber";
import { connectTestBus, createInbox, startNatsServer } from "@voxbus/testing";
import { expect, onTestFinished, test } from "vitest";
import { buildDialogue, dialogue } from "../app.ts";
import { description } from "./test-tools.ts";

test("skipped tools: the bus is told of them once, with their program, and in each report", async () => {
  const nats = await startNatsServer();
  onTestFinished(() => nats.stop());
  const bus = await connectTestBus(nats.url);
  onTestFinished(() => bus.close());
  const errors = createInbox<BadMessage>();
  const reports = createInbox<Stats>();
  const listening = [
    bus.subscribe(channels.error("dialogue"), (error) => errors.put(error)),
    bus.subscribe(channels.stats("dialogue"), (stats) => reports.put(stats)),
  ];
  onTestFinished(() => listening.forEach((one) => one.close()));
  const schema = '{"type":"object","properties":{"a":{"type":"strng"}}}';
  const channel = { ...channels.tool("lamp"), answer: z.any() };
  const metadata = { voxbus: "tool", description, schema };
  bus.serve({ name: "home", version: "1.0.0" }).endpoint(channel, { name: "lamp", metadata }, async () => ({}));
  await bus.flush();
  const env = { VOXBUS_NATS_URL: nats.url, VOXBUS_DIALOGUE_OPS_PORT: "0", VOXBUS_LOG_LEVEL: "fatal" };
  const program = await startSubscriber(dialogue, buildDialogue, env);
  onTestFinished(() => program.stop("quick"));
  const skipped = {
    subject: "tool.lamp",
    reason: "schema",
    field: "schema",
    limit: expect.stringMatching(/^schema\/properties\/a\/type: expected one of/) as string,
    publisher: "home",
    count: 1,
  };
  const error = await errors.find(() => true);
  expect(error).toMatchObject(skipped);
  const report = await reports.find(({ badMessages }) => badMessages !== undefined);
  expect(report.badMessages).toEqual([error]);
  expect(errors.items).toHaveLength(1);
});
