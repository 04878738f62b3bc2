import type { Bus } from "@voxbus/bus";
import type { PresenceView } from "@voxbus/presence";
import type { OutText } from "@voxbus/protocol";
import type { Log, Send } from "@voxbus/subscriber";
import { z } from "zod";
import { ByDevice } from "../http/params.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { requireBus, requireDevice } from "./require.ts";
import { Say, SendControl, SendText } from "./sendable.ts";

const SentToOne = z.object({ session: z.string(), gateway: z.string() });

/** Adds the routes that send speech, text and control to one device. */
export function addSendRoutes(
  app: App,
  parts: { readonly bus: Bus; readonly send: Send; readonly presence: PresenceView; readonly log: Log },
): void {
  const { bus, send, presence, log } = parts;
  const sendToOne = async (device: string, body: OutText) => {
    const { session, gateway } = requireDevice(presence, device);
    requireBus(bus);
    send.text(device, body, { session });
    await bus.flush();
    log.info({ device, session, type: body.type }, "message sent to a device");
    return { session, gateway };
  };
  const toOne = {
    params: ByDevice,
    problems: ["bad-device-id", "device-offline", "bus-away"],
  } as const;

  addRoute(app, "post", "/api/devices/{id}/say", {
    summary: "Has a text spoken by a device, once it is silent",
    ...toOne,
    body: Say,
    answer: z.object({
      session: z.string().describe("the session that is open now"),
      reply: z.string().describe("a ULID that the device's events name when it was played"),
    }),
    handle: async ({ params: { id }, body: { text, emotion, language } }) => {
      const { session } = requireDevice(presence, id);
      requireBus(bus);
      const { reply } = await send.say(id, text, { emotion, language });
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
