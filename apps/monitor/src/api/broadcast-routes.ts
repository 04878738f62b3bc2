import type { Bus } from "@voxbus/bus";
import type { PresenceView, Profiles } from "@voxbus/presence";
import { channels, type OutText } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { z } from "zod";
import { ByGroup } from "../http/params.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { announcementsPerSecond, type Announcer } from "./announcer.ts";
import { requireBus } from "./require.ts";
import { Say, SendControl, SendText } from "./sendable.ts";

const SentToMany = z.object({
  gateways: z.number().int().describe("gateways that pass it on"),
  devices: z.number().int().describe("devices that are online and addressed"),
});
const SaidToMany = z.object({
  devices: z.number().int().describe("devices that are online and will speak"),
  seconds: z.number().int().describe(`until the last one is stored: ${announcementsPerSecond} a second`),
});

/** Dependencies of the routes that send to many devices. */
export interface BroadcastParts {
  readonly bus: Bus;
  readonly presence: PresenceView;
  readonly profiles: Profiles;
  readonly announcer: Announcer;
  readonly log: Log;
}

/** Adds the routes that send speech, text and control to a group, or to all devices. */
export function addBroadcastRoutes(app: App, parts: BroadcastParts): void {
  const { sendToMany, sayToMany } = createBroadcast(parts);
  const say = { body: Say, answer: SaidToMany } as const;
  const text = { body: SendText, answer: SentToMany } as const;
  const control = { body: SendControl, answer: SentToMany } as const;
  const toGroup = { params: ByGroup, problems: ["bad-name", "bus-away"] } as const;

  addRoute(app, "post", "/api/groups/{group}/say", {
    summary: "Has a text spoken by every device of a group that is online",
    params: ByGroup,
    ...say,
    problems: ["bad-name", "busy", "bus-away"],
    handle: ({ params: { group }, body }) => sayToMany(body, group),
  });
  addRoute(app, "post", "/api/groups/{group}/text", {
    summary: "Shows something on every device of a group",
    ...text,
    ...toGroup,
    handle: ({ params: { group }, body: { message } }) => sendToMany(message, group),
  });
  addRoute(app, "post", "/api/groups/{group}/control", {
    summary: "Sends a command to every device of a group",
    ...control,
    ...toGroup,
    handle: ({ params: { group }, body: { message } }) => sendToMany(message, group),
  });
  addRoute(app, "post", "/api/fleet/say", {
    summary: "Has a text spoken by every device that is online",
    ...say,
    problems: ["busy", "bus-away"],
    handle: ({ body }) => sayToMany(body),
  });
  addRoute(app, "post", "/api/fleet/text", {
    summary: "Shows something on every device",
    ...text,
    problems: ["bus-away"],
    handle: ({ body: { message } }) => sendToMany(message),
  });
  addRoute(app, "post", "/api/fleet/control", {
    summary: "Sends a command to every device",
    ...control,
    problems: ["bus-away"],
    handle: ({ body: { message } }) => sendToMany(message),
  });
}

/** Sends to every device that is online, or to those of a group. */
function createBroadcast({ bus, presence, profiles, announcer, log }: BroadcastParts) {
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

  return { sendToMany, sayToMany };
}
