import type { Bus } from "@voxbus/bus";
import type { PresenceView, Profiles } from "@voxbus/presence";
import { busVersion, subjects, type OutText, type OutTextFrame } from "@voxbus/protocol";
import type { Log } from "@voxbus/service";
import type { Send } from "@voxbus/subscriber";
import { z } from "zod";
import { announcementsPerSecond, type Announcer } from "./announcer.ts";
import { ById, Nothing } from "../http/device-id.ts";
import { ByGroup } from "../http/names.ts";
import { requireBus, requireDevice } from "./require.ts";
import { route, type Route } from "../http/route.ts";
import { Say, SendControl, SendText } from "./sendable.ts";

const SentToOne = z.object({ session: z.string(), gateway: z.string() });
const SentToMany = z.object({
  gateways: z.number().int().describe("gateways that pass it on"),
  devices: z.number().int().describe("devices that are online and meant"),
});
const SaidToMany = z.object({
  devices: z.number().int().describe("devices that are online and will speak"),
  seconds: z.number().int().describe(`until the last one is stored: ${announcementsPerSecond} a second`),
});

const toOne = ["bad-device-id", "device-offline", "bus-away"] as const;

/** The routes that send text, control and speech to one device, a group, or all devices. */
export function createSendRoutes(parts: {
  readonly bus: Bus;
  readonly send: Send;
  readonly presence: PresenceView;
  readonly profiles: Profiles;
  readonly announcer: Announcer;
  readonly log: Log;
}): readonly Route[] {
  const { bus, send, presence, profiles, announcer, log } = parts;

  const online = (group?: string) =>
    [...presence.devices()]
      .map(([id]) => id)
      .filter((id) => group === undefined || profiles.of(id).group === group)
      .toSorted();

  const sendToOne = async (device: string, body: OutText) => {
    const { session, gateway } = requireDevice(presence, device);
    requireBus(bus);
    send.text(device, body, { session });
    await bus.flush();
    log.info({ device, session, type: body.type }, "sent to a device");
    return { session, gateway };
  };

  const sendToMany = async (subject: string, body: OutText, group?: string) => {
    requireBus(bus);
    bus.publish(subject, { v: busVersion, kind: "text", body } satisfies OutTextFrame);
    await bus.flush();
    const [gateways, devices] = [presence.gateways().length, online(group).length];
    log.info({ group, gateways, devices, type: body.type }, "sent to many devices");
    return { gateways, devices };
  };

  const sayToMany = (announcement: z.infer<typeof Say>, group?: string) => {
    requireBus(bus);
    const devices = online(group);
    const seconds = announcer.start(devices, announcement);
    log.info({ group, devices: devices.length }, "announcements to many devices begin");
    return { devices: devices.length, seconds };
  };

  return [
    route({
      method: "POST",
      path: "/api/devices/:id/say",
      summary: "Has a text spoken by a device, once it is silent",
      params: ById,
      query: Nothing,
      body: Say,
      status: 202,
      answer: z.object({
        session: z.string().describe("the session that is open now"),
        reply: z.string().describe("a ULID that the device's events name when it was played"),
      }),
      problems: toOne,
      handle: async ({ params: { id }, body: { text, emotion, language } }) => {
        const { session } = requireDevice(presence, id);
        requireBus(bus);
        const { reply } = await send.say(id, text, { emotion, language });
        log.info({ device: id, session, reply }, "announcement stored");
        return { session, reply };
      },
    }),
    route({
      method: "POST",
      path: "/api/devices/:id/text",
      summary: "Shows something on a device, at once",
      params: ById,
      query: Nothing,
      body: SendText,
      status: 202,
      answer: SentToOne,
      problems: toOne,
      handle: ({ params: { id }, body: { message } }) => sendToOne(id, message),
    }),
    route({
      method: "POST",
      path: "/api/devices/:id/control",
      summary: "Sends a command to a device",
      params: ById,
      query: Nothing,
      body: SendControl,
      status: 202,
      answer: SentToOne,
      problems: toOne,
      handle: ({ params: { id }, body: { message } }) => sendToOne(id, message),
    }),
    route({
      method: "POST",
      path: "/api/groups/:group/say",
      summary: "Has a text spoken by every device of a group that is online",
      params: ByGroup,
      query: Nothing,
      body: Say,
      status: 202,
      answer: SaidToMany,
      problems: ["bad-name", "busy", "bus-away"],
      handle: ({ params: { group }, body }) => sayToMany(body, group),
    }),
    route({
      method: "POST",
      path: "/api/groups/:group/text",
      summary: "Shows something on every device of a group",
      params: ByGroup,
      query: Nothing,
      body: SendText,
      status: 202,
      answer: SentToMany,
      problems: ["bad-name", "bus-away"],
      handle: ({ params: { group }, body: { message } }) => sendToMany(subjects.groupOut(group), message, group),
    }),
    route({
      method: "POST",
      path: "/api/groups/:group/control",
      summary: "Sends a command to every device of a group",
      params: ByGroup,
      query: Nothing,
      body: SendControl,
      status: 202,
      answer: SentToMany,
      problems: ["bad-name", "bus-away"],
      handle: ({ params: { group }, body: { message } }) => sendToMany(subjects.groupOut(group), message, group),
    }),
    route({
      method: "POST",
      path: "/api/fleet/say",
      summary: "Has a text spoken by every device that is online",
      params: Nothing,
      query: Nothing,
      body: Say,
      status: 202,
      answer: SaidToMany,
      problems: ["busy", "bus-away"],
      handle: ({ body }) => sayToMany(body),
    }),
    route({
      method: "POST",
      path: "/api/fleet/text",
      summary: "Shows something on every device",
      params: Nothing,
      query: Nothing,
      body: SendText,
      status: 202,
      answer: SentToMany,
      problems: ["bus-away"],
      handle: ({ body: { message } }) => sendToMany(subjects.fleetOut(), message),
    }),
    route({
      method: "POST",
      path: "/api/fleet/control",
      summary: "Sends a command to every device",
      params: Nothing,
      query: Nothing,
      body: SendControl,
      status: 202,
      answer: SentToMany,
      problems: ["bus-away"],
      handle: ({ body: { message } }) => sendToMany(subjects.fleetOut(), message),
    }),
  ];
}
