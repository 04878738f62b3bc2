import type { Bus } from "@voxbus/bus";
import type { PresenceView, Profiles } from "@voxbus/presence";
import { channels, groupsOf, receiptReportMs, type OutText } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { ulid } from "ulid";
import { z } from "zod";
import { ByGroup } from "../http/params.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import type { ReceiptBook } from "../receipts/receipt-book.ts";
import type { KnownDevices } from "../registry/known-devices.ts";
import { announcementsPerSecond, type Announcer } from "./announcer.ts";
import { Keep } from "./message-routes.ts";
import { givesReceipts, requireBus } from "./require.ts";
import { Say, SendControl, SendText } from "./sendable.ts";

const reply = z.string().describe("the id of its receipts (`/api/receipts/{reply}`)");
const SentToMany = z.object({
  reply,
  gateways: z.number().int().describe("gateways that pass it on"),
  devices: z.number().int().describe("devices that are online and addressed"),
});
const SaidToMany = z.object({
  reply: reply
    .optional()
    .describe("the id of its receipts (`/api/receipts/{reply}`); none with `keep`: each device's messages tell"),
  devices: z.number().int().describe("devices that are online and will speak; with `keep` those that it is kept for"),
  seconds: z.number().int().describe(`until the last one is stored: ${announcementsPerSecond} a second`),
});

/** Dependencies of the routes that send to many devices. */
export interface BroadcastParts {
  readonly bus: Bus;
  readonly presence: PresenceView;
  readonly profiles: Profiles;
  readonly known: KnownDevices;
  readonly announcer: Announcer;
  readonly book: ReceiptBook;
  readonly log: Log;
}

/** Adds the routes that send speech, text and control to a group, or to all devices. */
export function addBroadcastRoutes(app: App, parts: BroadcastParts): void {
  const { sendToMany, sayToMany } = createBroadcast(parts);
  const say = { query: z.strictObject({ keep: Keep.optional() }), body: Say, answer: SaidToMany } as const;
  const text = { body: SendText, answer: SentToMany } as const;
  const control = { body: SendControl, answer: SentToMany } as const;
  const toGroup = { params: ByGroup, problems: ["bad-name", "bus-away"] } as const;

  addRoute(app, "post", "/api/groups/{group}/say", {
    summary:
      "Has a text spoken by every device of a group that is online. With `keep` the others are told at their next hello",
    params: ByGroup,
    ...say,
    problems: ["bad-name", "bad-field", "busy", "bus-away"],
    handle: ({ params: { group }, query: { keep }, body }) => sayToMany(body, keep, group),
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
    summary: "Has a text spoken by every device that is online. With `keep` the others are told at their next hello",
    ...say,
    problems: ["bad-field", "busy", "bus-away"],
    handle: ({ query: { keep }, body }) => sayToMany(body, keep),
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

/** Sends to every device that is online, or to those of a group. What is kept goes to those that were here before, too. */
function createBroadcast({ bus, presence, profiles, known, announcer, book, log }: BroadcastParts) {
  const online = (group?: string) =>
    [...presence.devices()]
      .map(([id]) => id)
      .filter((id) => group === undefined || groupsOf(profiles.of(id)).includes(group))
      .toSorted();

  const seen = (group?: string) =>
    known
      .list({ group })
      .flatMap(({ id, allowed, lastSeen }) => (allowed === false || lastSeen === undefined ? [] : [id]));

  const sendToMany = async (body: OutText, group?: string) => {
    requireBus(bus);
    const channel = group === undefined ? channels.fleetOut() : channels.groupOut(group);
    const addressed = online(group);
    const isAwaited = (id: string) => givesReceipts(presence.online(id));
    const others = addressed.filter((id) => !isAwaited(id));
    const reply = ulid();
    book.open(reply, addressed.filter(isAwaited), others, receiptReportMs);
    bus.publish(channel, { kind: "text", reply, body });
    await bus.flush();
    const [gateways, devices] = [presence.gateways().length, addressed.length];
    log.info({ group, gateways, devices, reply, type: body.type }, "message sent to many devices");
    return { reply, gateways, devices };
  };

  const sayToMany = (announcement: z.infer<typeof Say>, keepMs: number | undefined, group?: string) => {
    requireBus(bus);
    const devices = keepMs === undefined ? online(group) : seen(group);
    const reply = ulid();
    const seconds = announcer.start(reply, devices, { ...announcement, keepMs });
    log.info({ group, devices: devices.length, keepMs, reply }, "announcements to many devices started");
    // What is kept is told later, each under a reply of its own.
    if (keepMs !== undefined) return { devices: devices.length, seconds };
    book.open(reply, devices);
    return { reply, devices: devices.length, seconds };
  };

  return { sendToMany, sayToMany };
}
