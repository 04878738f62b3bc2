import type { Bus } from "@voxbus/bus";
import type { PresenceView, Profiles } from "@voxbus/presence";
import { AudioState, channels, type Command, groupsOf, Presence, SessionState } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { z } from "zod";
import { ByDevice, DeviceId, Name } from "../http/params.ts";
import { requireBus, requireDevice } from "./require.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";

const Device = Presence.extend({
  id: z.string(),
  since: z.number().describe("ms since the epoch at which the session began"),
});

const Filter = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe("devices on a page"),
  after: DeviceId.optional().describe("the last id of the page before"),
  prefix: z.string().max(64).optional().describe("only ids that begin with this, in upper or lower case"),
  group: Name.optional().describe("only devices whose profile names this group"),
  gateway: Name.optional().describe("only devices that this gateway holds"),
  audio: AudioState.optional().describe(
    "only devices with an open audio channel, or those that are reached while idle",
  ),
  state: SessionState.exclude(["closed"]).optional().describe("only devices in this state"),
});

const Devices = z.object({
  devices: z.array(Device),
  online: z.number().int().describe("devices that fit the filter, on all pages"),
  next: z.string().optional().describe("`after` of the next page; absent on the last one"),
});

const Disconnect = z.strictObject({
  reason: z.string().max(200).optional().describe("reason for the monitor's log"),
});

/**
 * Adds the routes of devices that are online. Presence is watched, so no answer waits for a look-up.
 */
export function addDeviceRoutes(
  app: App,
  parts: {
    readonly bus: Bus;
    readonly presence: PresenceView;
    readonly profiles: Profiles;
    readonly log: Log;
  },
): void {
  const { bus, presence, profiles, log } = parts;

  addRoute(app, "get", "/api/devices", {
    summary: "Devices that are online, in order of their ids, a page at a time",
    query: Filter,
    answer: Devices,
    problems: ["bad-field"],
    handle: ({ query: { limit, after, ...filter } }) => {
      const fitting = filterDevices(presence, profiles, filter);
      const rest = after === undefined ? fitting : fitting.filter((id) => id > after);
      const page = rest.slice(0, limit);
      const devices = page.flatMap((id) => {
        const found = presence.online(id);
        return found ? [{ id, ...found }] : [];
      });
      return { devices, online: fitting.length, ...(rest.length > limit ? { next: page.at(-1) } : {}) };
    },
  });

  addRoute(app, "get", "/api/devices/{id}", {
    summary: "One device that is online",
    params: ByDevice,
    answer: Device,
    problems: ["bad-device-id", "device-offline"],
    handle: ({ params: { id } }) => {
      return { id, ...requireDevice(presence, id) };
    },
  });

  addRoute(app, "post", "/api/devices/{id}/disconnect", {
    summary: "Closes a device's session; the device may connect again",
    params: ByDevice,
    body: Disconnect,
    answer: z.object({ session: z.string(), gateway: z.string() }),
    problems: ["bad-device-id", "device-offline", "bus-away"],
    handle: async ({ params: { id }, body: { reason } }) => {
      const { session, gateway } = requireDevice(presence, id);
      requireBus(bus);
      const command: Command = {
        body: { type: "disconnect", device: id, session, reason: "requested" },
      };
      bus.publish(channels.command(gateway), command);
      await bus.flush();
      log.info({ device: id, session, gateway, reason }, "disconnect requested");
      return { session, gateway };
    },
  });
}

/** The ids of the devices that fit a filter, in order. */
function filterDevices(
  presence: PresenceView,
  profiles: Profiles,
  { prefix = "", group, gateway, state, audio }: Omit<z.infer<typeof Filter>, "limit" | "after">,
): readonly string[] {
  const begin = prefix.toLowerCase();
  return [...presence.devices()]
    .filter(([, { gateway: held, state: now }]) => (gateway ?? held) === held && (state ?? now) === now)
    .filter(([, { audio: channel = "open" }]) => (audio ?? channel) === channel)
    .map(([id]) => id)
    .filter((id) => id.toLowerCase().startsWith(begin))
    .filter((id) => group === undefined || groupsOf(profiles.of(id)).includes(group))
    .sort();
}
