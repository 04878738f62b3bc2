import type { Bus } from "@voxbus/bus";
import type { PresenceView, Profiles } from "@voxbus/presence";
import { busVersion, Presence, SessionState, subjects, type Command } from "@voxbus/protocol";
import type { Log } from "@voxbus/service";
import { z } from "zod";
import { ById, DeviceId, Nothing } from "../http/device-id.ts";
import { Name } from "../http/names.ts";
import { requireBus, requireDevice } from "./require.ts";
import { route, type Route } from "../http/route.ts";

const Device = Presence.extend({
  id: z.string(),
  since: z.number().describe("ms since the epoch at which the session began"),
});

const Devices = z.object({
  devices: z.array(Device),
  online: z.number().int().describe("devices that fit the filter, on all pages"),
  next: z.string().optional().describe("`after` of the next page; absent on the last one"),
});

const Health = z.object({
  status: z.literal("ok"),
  devices: z.number().int(),
  gateways: z.number().int(),
  rtt: z.number().describe("ms of the last round trip to NATS"),
});

const Disconnect = z.strictObject({
  reason: z.string().max(200).optional().describe("why, for the monitor's log"),
});

/** What the API is made of. */
export interface ApiParts {
  readonly bus: Bus;
  readonly presence: PresenceView;
  readonly profiles: Profiles;
  readonly log: Log;
}

/**
 * The route table of the API. Who is online is known from the watch of presence, so no answer waits for a look-up, and
 * what is sent to a device goes straight to its subjects.
 */
export function createRoutes({ bus, presence, profiles, log }: ApiParts): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/api/devices",
      summary: "Devices that are online, in order of their ids, a page at a time",
      params: Nothing,
      query: z.strictObject({
        limit: z.coerce.number().int().min(1).max(1000).default(100).describe("devices on a page"),
        after: DeviceId.optional().describe("the last id of the page before"),
        prefix: z.string().max(64).optional().describe("only ids that begin with this, in upper or lower case"),
        group: Name.optional().describe("only devices whose profile names this group"),
        gateway: Name.optional().describe("only devices that this gateway holds"),
        state: SessionState.exclude(["closed"]).optional().describe("only devices in this state"),
      }),
      status: 200,
      answer: Devices,
      problems: ["bad-field"],
      handle: ({ query: { limit, after, prefix = "", group, gateway, state } }) => {
        const begin = prefix.toLowerCase();
        const fitting = [...presence.devices()]
          .filter(([, { gateway: held, state: now }]) => (gateway ?? held) === held && (state ?? now) === now)
          .map(([id]) => id)
          .filter((id) => id.toLowerCase().startsWith(begin))
          .filter((id) => group === undefined || profiles.of(id).group === group)
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
      handle: ({ params: { id } }) => ({ id, ...requireDevice(presence, id) }),
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
        const { session, gateway } = requireDevice(presence, id);
        requireBus(bus);
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
      path: "/api/health",
      summary: "Whether the monitor sees the bus",
      params: Nothing,
      query: Nothing,
      status: 200,
      answer: Health,
      problems: ["bus-away"],
      handle: () => {
        requireBus(bus);
        const devices = [...presence.devices()].length;
        return { status: "ok" as const, devices, gateways: presence.gateways().length, rtt: bus.stats().rtt };
      },
    }),
  ];
}
