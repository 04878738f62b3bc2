import { ConflictError, type Bus } from "@voxbus/bus";
import { buckets, defaultProfile, OwnProfile, Profile } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { z } from "zod";
import { ByDevice } from "../http/params.ts";
import { Problem } from "../http/problems.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { requireBus } from "./require.ts";

const Shown = z.object({
  revision: z
    .number()
    .int()
    .describe("revision for If-Match of the next change; 0: the device has no profile of its own"),
  own: z.record(z.string(), z.unknown()).describe("the device's own fields"),
  profile: z
    .record(z.string(), z.unknown())
    .describe("the profile that applies: own fields over the fleet's over the defaults"),
});

/**
 * Adds the routes that read and write a device's profile, online or not. Gateways and programs apply a change to the next
 * turn.
 */
export function addProfileRoutes(app: App, { bus, log }: { readonly bus: Bus; readonly log: Log }): void {
  const bucket = bus.bucket(buckets.profiles);

  const show = async (id: string): Promise<z.infer<typeof Shown>> => {
    const [entry, fallback] = await Promise.all([bucket.get(id), bucket.get(defaultProfile)]);
    const own = entry?.value?.own ?? {};
    return { revision: entry?.revision ?? 0, own, profile: Profile.parse({ ...fallback?.value?.own, ...own }) };
  };

  addRoute(app, "get", "/api/devices/{id}/profile", {
    summary: "A device's profile, and its revision",
    params: ByDevice,
    answer: Shown,
    problems: ["bad-device-id", "bus-away"],
    handle: async ({ params: { id } }) => {
      requireBus(bus);
      return await show(id);
    },
  });

  addRoute(app, "put", "/api/devices/{id}/profile", {
    summary: "Replaces a device's own profile, if it is still at the revision that If-Match names (0: no profile)",
    params: ByDevice,
    body: OwnProfile.strict(),
    answer: Shown,
    problems: ["bad-device-id", "revision-missing", "revision-conflict", "bus-away"],
    handle: async ({ params: { id }, body, context }) => {
      const named = /^(?:W\/)?"?(\d{1,15})"?$/.exec(context.req.header("if-match") ?? "")?.[1];
      if (named === undefined) {
        throw new Problem("revision-missing", 'send the revision that you read as `If-Match: "…"`');
      }
      requireBus(bus);
      try {
        await bucket.update(id, body, Number(named));
      } catch (cause) {
        if (!(cause instanceof ConflictError)) throw cause;
        throw new Problem("revision-conflict", `the profile is no longer at revision ${named}: read it again`, {
          cause,
        });
      }
      log.info({ device: id, fields: Object.keys(body) }, "profile changed");
      return await show(id);
    },
  });
}
