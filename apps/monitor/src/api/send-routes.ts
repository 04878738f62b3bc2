import type { Bus } from "@voxbus/bus";
import type { PresenceView, Profiles } from "@voxbus/presence";
import { channels, type OutText } from "@voxbus/protocol";
import type { Log } from "@voxbus/service";
import type { Send } from "@voxbus/subscriber";
import { z } from "zod";
import { ByDevice, ByGroup } from "../http/params.ts";
import { route } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { announcementsPerSecond, type Announcer } from "./announcer.ts";
import { requireBus, requireDevice } from "./require.ts";
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

/** Dependencies of the routes that send. */
export interface SendParts {
  readonly bus: Bus;
  readonly send: Send;
  readonly presence: PresenceView;
  readonly profiles: Profiles;
  readonly announcer: Announcer;
  readonly log: Log;
}

/** Adds the routes that send speech, text and control to one device. */
export function addSendRoutes(app: App, { bus, send, presence, log }: SendParts): void {
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
    status: 202,
    problems: ["bad-device-id", "device-offline", "bus-away"],
  } as const;

  app.openapi(
    route({
      method: "post",
      path: "/api/devices/{id}/say",
      summary: "Has a text spoken by a device, once it is silent",
      ...toOne,
      body: Say,
      answer: z.object({
        session: z.string().describe("the session that is open now"),
        reply: z.string().describe("a ULID that the device's events name when it was played"),
      }),
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      const { text, emotion, language } = c.req.valid("json");
      const { session } = requireDevice(presence, id);
      requireBus(bus);
      const { reply } = await send.say(id, text, { emotion, language });
      log.info({ device: id, session, reply }, "announcement stored");
      return c.json({ session, reply }, 202);
    },
  );
  app.openapi(
    route({
      method: "post",
      path: "/api/devices/{id}/text",
      summary: "Shows something on a device, at once",
      ...toOne,
      body: SendText,
      answer: SentToOne,
    }),
    async (c) => c.json(await sendToOne(c.req.valid("param").id, c.req.valid("json").message), 202),
  );
  app.openapi(
    route({
      method: "post",
      path: "/api/devices/{id}/control",
      summary: "Sends a command to a device",
      ...toOne,
      body: SendControl,
      answer: SentToOne,
    }),
    async (c) => c.json(await sendToOne(c.req.valid("param").id, c.req.valid("json").message), 202),
  );
}

/** Adds the routes that send speech, text and control to a group, or to all devices. */
export function addBroadcastRoutes(app: App, { bus, presence, profiles, announcer, log }: SendParts): void {
  const online = (group?: string) =>
    [...presence.devices()]
      .map(([id]) => id)
      .filter((id) => group === undefined || profiles.of(id).group === group)
      .toSorted();

  const sendToMany = async (body: OutText, group?: string) => {
    requireBus(bus);
    const channel = group === undefined ? channels.fleetOut() : channels.groupOut(group);
    bus.publish(channel, { kind: "text", body });
    await bus.flush();
    const [gateways, devices] = [presence.gateways().length, online(group).length];
    log.info({ group, gateways, devices, type: body.type }, "message sent to many devices");
    return { gateways, devices };
  };

  const sayToMany = (announcement: z.infer<typeof Say>, group?: string) => {
    requireBus(bus);
    const devices = online(group);
    const seconds = announcer.start(devices, announcement);
    log.info({ group, devices: devices.length }, "announcements to many devices started");
    return { devices: devices.length, seconds };
  };

  const say = { body: Say, status: 202, answer: SaidToMany } as const;
  const text = { body: SendText, status: 202, answer: SentToMany } as const;
  const control = { body: SendControl, status: 202, answer: SentToMany } as const;
  const toGroup = { params: ByGroup, problems: ["bad-name", "bus-away"] } as const;

  app.openapi(
    route({
      method: "post",
      path: "/api/groups/{group}/say",
      summary: "Has a text spoken by every device of a group that is online",
      params: ByGroup,
      ...say,
      problems: ["bad-name", "busy", "bus-away"],
    }),
    (c) => c.json(sayToMany(c.req.valid("json"), c.req.valid("param").group), 202),
  );
  app.openapi(
    route({
      method: "post",
      path: "/api/groups/{group}/text",
      summary: "Shows something on every device of a group",
      ...text,
      ...toGroup,
    }),
    async (c) => c.json(await sendToMany(c.req.valid("json").message, c.req.valid("param").group), 202),
  );
  app.openapi(
    route({
      method: "post",
      path: "/api/groups/{group}/control",
      summary: "Sends a command to every device of a group",
      ...control,
      ...toGroup,
    }),
    async (c) => c.json(await sendToMany(c.req.valid("json").message, c.req.valid("param").group), 202),
  );
  app.openapi(
    route({
      method: "post",
      path: "/api/fleet/say",
      summary: "Has a text spoken by every device that is online",
      ...say,
      problems: ["busy", "bus-away"],
    }),
    (c) => c.json(sayToMany(c.req.valid("json")), 202),
  );
  app.openapi(
    route({
      method: "post",
      path: "/api/fleet/text",
      summary: "Shows something on every device",
      ...text,
      problems: ["bus-away"],
    }),
    async (c) => c.json(await sendToMany(c.req.valid("json").message), 202),
  );
  app.openapi(
    route({
      method: "post",
      path: "/api/fleet/control",
      summary: "Sends a command to every device",
      ...control,
      problems: ["bus-away"],
    }),
    async (c) => c.json(await sendToMany(c.req.valid("json").message), 202),
  );
}
