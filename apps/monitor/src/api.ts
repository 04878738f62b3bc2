import type { Bus, PresenceView } from "@voxbus/bus";
import { busVersion, Emotion, GatewayLease, isName, Presence, SessionState, subjects } from "@voxbus/protocol";
import type { Command } from "@voxbus/protocol";
import type { Log } from "@voxbus/service";
import type { Send } from "@voxbus/subscriber";
import { z } from "zod";
import { ById, DeviceId, Nothing } from "./device-id.ts";
import { Problem } from "./problems.ts";
import { route, type Route } from "./route.ts";

const Name = z.string().refine(isName, "must be 1 to 64 characters of A-Z a-z 0-9 _ -");

const Device = Presence.extend({
  id: z.string(),
  since: z.number().describe("ms since the epoch at which the session began"),
});

const Devices = z.object({
  devices: z.array(Device),
  online: z.number().int().describe("devices that fit the filter, on all pages"),
  next: z.string().optional().describe("`after` of the next page; absent on the last one"),
});

const Gateways = z.object({ gateways: z.array(GatewayLease) });

const Health = z.object({
  status: z.literal("ok"),
  devices: z.number().int(),
  gateways: z.number().int(),
  rtt: z.number().describe("ms of the last round trip to NATS"),
});

const Say = z.strictObject({
  text: z.string().trim().min(1).max(4096).describe("what is spoken"),
  emotion: Emotion.optional().describe("the face while it is spoken"),
  language: z
    .string()
    .regex(/^[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*$/, "must be a BCP 47 language such as en or zh-CN")
    .max(35)
    .optional()
    .describe("BCP 47 language of the text; default: the device's"),
});

const Disconnect = z.strictObject({
  reason: z.string().max(200).optional().describe("why, for the monitor's log"),
});

/** What the API is made of. */
export interface ApiParts {
  readonly bus: Bus;
  readonly send: Send;
  readonly presence: PresenceView;
  readonly log: Log;
}

/**
 * The route table of the API. Who is online is known from the watch of presence, so no answer waits for a look-up, and
 * what is sent to a device goes straight to its subjects.
 */
export function createRoutes({ bus, send, presence, log }: ApiParts): readonly Route[] {
  const mustBeOnline = (id: string): Presence => {
    const found = presence.online(id);
    if (!found) throw new Problem("device-offline", `${id} has no open session`);
    return found;
  };
  const mustBeConnected = () => {
    if (!bus.connected()) throw new Problem("bus-away", "NATS cannot be reached now; try again");
  };
  return [
    route({
      method: "GET",
      path: "/api/devices",
      summary: "Devices that are online, in order of their ids, a page at a time",
      params: Nothing,
      query: z.strictObject({
        limit: z.coerce.number().int().min(1).max(1000).default(100).describe("devices on a page"),
        after: DeviceId.optional().describe("the last id of the page before"),
        gateway: Name.optional().describe("only devices that this gateway holds"),
        state: SessionState.exclude(["closed"]).optional().describe("only devices in this state"),
      }),
      status: 200,
      answer: Devices,
      problems: ["bad-field"],
      handle: ({ query: { limit, after, gateway, state } }) => {
        const fitting = [...presence.devices()]
          .filter(([, { gateway: held, state: now }]) => (gateway ?? held) === held && (state ?? now) === now)
          .map(([id]) => id)
          .sort();
        const rest = after === undefined ? fitting : fitting.filter((id) => id > after);
        const page = rest.slice(0, limit);
        const devices = page.flatMap((id) => {
          const found = presence.online(id);
          return found ? [{ id, ...found }] : [];
        });
        return { devices, online: fitting.length, ...(rest.length > limit ? { next: page.at(-1) } : {}) };
      },
    }),
    route({
      method: "GET",
      path: "/api/devices/:id",
      summary: "One device that is online",
      params: ById,
      query: Nothing,
      status: 200,
      answer: Device,
      problems: ["bad-device-id", "device-offline"],
      handle: ({ params: { id } }) => ({ id, ...mustBeOnline(id) }),
    }),
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
      problems: ["bad-device-id", "device-offline", "bus-away"],
      handle: async ({ params: { id }, body: { text, emotion, language } }) => {
        const { session } = mustBeOnline(id);
        mustBeConnected();
        const { reply } = await send.say(id, text, { emotion, language });
        log.info({ device: id, session, reply }, "announcement stored");
        return { session, reply };
      },
    }),
    route({
      method: "POST",
      path: "/api/devices/:id/disconnect",
      summary: "Closes a device's session; the device may connect again",
      params: ById,
      query: Nothing,
      body: Disconnect,
      status: 202,
      answer: z.object({ session: z.string(), gateway: z.string() }),
      problems: ["bad-device-id", "device-offline", "bus-away"],
      handle: async ({ params: { id }, body: { reason } }) => {
        const { session, gateway } = mustBeOnline(id);
        mustBeConnected();
        const command: Command = {
          v: busVersion,
          body: { type: "disconnect", device: id, session, reason: "requested" },
        };
        bus.publish(subjects.command(gateway), command);
        await bus.flush();
        log.info({ device: id, session, gateway, reason }, "disconnect requested");
        return { session, gateway };
      },
    }),
    route({
      method: "GET",
      path: "/api/gateways",
      summary: "Gateways whose lease lives",
      params: Nothing,
      query: Nothing,
      status: 200,
      answer: Gateways,
      problems: [],
      handle: () => ({ gateways: [...presence.gateways()] }),
    }),
    route({
      method: "GET",
      path: "/api/health",
      summary: "Whether the monitor sees the bus",
      params: Nothing,
      query: Nothing,
      status: 200,
      answer: Health,
      problems: ["bus-away"],
      handle: () => {
        mustBeConnected();
        const devices = [...presence.devices()].length;
        return { status: "ok" as const, devices, gateways: presence.gateways().length, rtt: bus.stats().rtt };
      },
    }),
  ];
}
