import { ConflictError, type Bus } from "@voxbus/bus";
import { deviceKey, Profile } from "@voxbus/protocol";
import type { Log } from "@voxbus/service";
import { z } from "zod";
import { ById, Nothing } from "../http/device-id.ts";
import { Problem } from "../http/problems.ts";
import { route, type Route } from "../http/route.ts";

/** A profile as a device has its own: any of the fields, and none that does not exist. */
const OwnProfile = z.strictObject(
  Object.fromEntries(Object.entries(Profile.shape).map(([name, field]) => [name, ownField(field as z.ZodType)])),
);

// A default would be written down as if somebody had chosen it, and would then hide the fleet's.
function ownField(field: z.ZodType): z.ZodType {
  const bare = field instanceof z.ZodDefault ? (field.unwrap() as z.ZodType).optional() : field;
  return field.description === undefined ? bare : bare.describe(field.description);
}

const fallbackKey = "=default";

const Shown = z.object({
  revision: z.number().int().describe("what a change must name in If-Match; 0: the device has no profile of its own"),
  own: z.record(z.string(), z.unknown()).describe("the device's own fields"),
  profile: z.record(z.string(), z.unknown()).describe("what applies: own fields over the fleet's over the defaults"),
});

/** The routes that read and write a device's profile, also of one that is offline; gateways and programs apply it to the next turn. */
export function createProfileRoutes({ bus, log }: { readonly bus: Bus; readonly log: Log }): readonly Route[] {
  const bucket = bus.bucket("profiles");
  const mustBeConnected = () => {
    if (!bus.connected()) throw new Problem("bus-away", "NATS cannot be reached now; try again");
  };

  const show = async (id: string): Promise<z.infer<typeof Shown>> => {
    const [entry, fallback] = await Promise.all([bucket.get(deviceKey(id)), bucket.get(fallbackKey)]);
    const own = (entry?.value ?? {}) as Record<string, unknown>;
    const profile = Profile.safeParse({ ...(fallback?.value as object | undefined), ...own });
    return { revision: entry?.revision ?? 0, own, profile: profile.data ?? Profile.parse({}) };
  };

  return [
    route({
      method: "GET",
      path: "/api/devices/:id/profile",
      summary: "A device's profile, and its revision",
      params: ById,
      query: Nothing,
      status: 200,
      answer: Shown,
      problems: ["bad-device-id", "bus-away"],
      handle: async ({ params: { id } }) => {
        mustBeConnected();
        return show(id);
      },
    }),
    route({
      method: "PUT",
      path: "/api/devices/:id/profile",
      summary: "Replaces a device's own profile, if it is still at the revision that If-Match names (0: there is none)",
      params: ById,
      query: Nothing,
      body: OwnProfile,
      status: 200,
      answer: Shown,
      problems: ["bad-device-id", "revision-missing", "revision-conflict", "bus-away"],
      handle: async ({ params: { id }, body, ifMatch }) => {
        const named = /^(?:W\/)?"?(\d{1,15})"?$/.exec(ifMatch ?? "")?.[1];
        if (named === undefined) {
          throw new Problem("revision-missing", 'send the revision that you read as `If-Match: "…"`');
        }
        mustBeConnected();
        try {
          await bucket.update(deviceKey(id), body, Number(named));
        } catch (cause) {
          if (!(cause instanceof ConflictError)) throw cause;
          throw new Problem("revision-conflict", `the profile is no longer at revision ${named}: read it again`, {
            cause,
          });
        }
        log.info({ device: id, fields: Object.keys(body) }, "profile changed");
        return show(id);
      },
    }),
  ];
}
