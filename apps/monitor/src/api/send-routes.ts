import type { Bus } from "@voxbus/bus";
import type { PresenceView } from "@voxbus/presence";
import { receiptReportMs, type OutText } from "@voxbus/protocol";
import { createKeepMessage, type Log, type Send } from "@voxbus/subscriber";
import { ulid } from "ulid";
import { z } from "zod";
import { ByDevice } from "../http/params.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { Keep, keepFor, Kept } from "./message-routes.ts";
import { receiptResults, type ReceiptBook, type ReceiptResult } from "../receipts/receipt-book.ts";
import { givesReceipts, requireBus, requireDevice } from "./require.ts";
import { Say, SendControl, SendText } from "./sendable.ts";

const SaidToOne = z.object({
  session: z.string().describe("the session that is open now"),
  reply: z
    .string()
    .describe(
      "a ULID that the device's events name when it was played, and the id of its receipt (`/api/receipts/{reply}`)",
    ),
});
const SentToOne = z.object({
  session: z.string(),
  gateway: z.string(),
  receipt: z
    .enum(Object.keys(receiptResults) as [ReceiptResult, ...ReceiptResult[]])
    .optional()
    .describe("of a device that is idle over MQTT: `delivered` if it answered, `unanswered` after 5 s, or `expired`"),
});

/** Adds the routes that send speech, text and control to one device. */
export function addSendRoutes(
  app: App,
  parts: {
    readonly bus: Bus;
    readonly send: Send;
    readonly presence: PresenceView;
    readonly book: ReceiptBook;
    readonly log: Log;
    readonly signal: AbortSignal;
  },
): void {
  const { bus, send, presence, book, log, signal } = parts;
  const keepMessage = createKeepMessage(bus);
  const sendToOne = async (device: string, body: OutText) => {
    const found = requireDevice(presence, device);
    requireBus(bus);
    const { session, gateway } = found;
    const isAwaited = givesReceipts(found);
    const reply = ulid();
    if (isAwaited) book.open(reply, [device], [], receiptReportMs);
    send.text(device, body, { session, ...(isAwaited && { reply }) });
    await bus.flush();
    log.info({ device, session, type: body.type }, "message sent to a device");
    if (!isAwaited) return { session, gateway };
    const [receipt] = (await book.wait(reply, receiptReportMs, signal)) ?? [];
    return { session, gateway, receipt: receipt?.result };
  };
  const toOne = {
    params: ByDevice,
    problems: ["bad-device-id", "device-offline", "bus-away"],
  } as const;

  addRoute(app, "post", "/api/devices/{id}/say", {
    summary:
      "Has a text spoken by a device, once it is silent. With `keep` the device may be away: it is told at its next hello",
    ...toOne,
    query: z.strictObject({ keep: Keep.optional() }),
    body: Say,
    answer: z.union([SaidToOne, Kept]).describe("with `keep` the state of what is kept"),
    problems: [...toOne.problems, "bad-field", "device-unknown", "too-many-kept"],
    handle: async ({ params: { id }, query: { keep }, body }) => {
      if (keep !== undefined) return await keepFor({ ...parts, keep: keepMessage }, id, body, keep);
      const { text, emotion, language } = body;
      const { session } = requireDevice(presence, id);
      requireBus(bus);
      const { reply } = await send.say(id, text, { emotion, language });
      // An event may have been faster.
      if (book.read(reply) === undefined) book.open(reply, [id]);
      log.info({ device: id, session, reply }, "announcement stored");
      return { session, reply };
    },
  });
  addRoute(app, "post", "/api/devices/{id}/text", {
    summary: "Shows something on a device, at once",
    ...toOne,
    body: SendText,
    answer: SentToOne,
    handle: ({ params: { id }, body: { message } }) => sendToOne(id, message),
  });
  addRoute(app, "post", "/api/devices/{id}/control", {
    summary: "Sends a command to a device",
    ...toOne,
    body: SendControl,
    answer: SentToOne,
    handle: ({ params: { id }, body: { message } }) => sendToOne(id, message),
  });
}
