import type { Bus } from "@voxbus/bus";
import { mergeLevels, readLevel, readLowerLevels } from "@voxbus/presence";
import { buckets, isName, nameProfile, type OwnProfile, trialProfile } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { z } from "zod";
import { ByDevice } from "../http/params.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { LevelFields } from "./profile-fields.ts";
import { requireBus } from "./require.ts";

const level = z.string().max(80).refine(isLevel, "must be device, fleet, or group:NAME");

const Trial = z.strictObject({
  level: level.default("device").describe("the level whose fields are tried: device, group:NAME or fleet"),
  fields: LevelFields.describe("the fields that the level would set"),
  seconds: z.number().int().min(10).max(600).default(120).describe("how long the trial lasts"),
});

function isLevel(text: string): boolean {
  const [level, group, ...rest] = text.split(":");
  if (level !== "group") return text === "device" || text === "fleet";
  return group !== undefined && isName(group) && rest.length === 0;
}

/** Adds the routes of trials: a device has a profile for some minutes, and nothing is saved. */
export function addTrialRoutes(app: App, { bus, log }: { readonly bus: Bus; readonly log: Log }): void {
  const bucket = bus.bucket(buckets.profiles);
  const problems = ["bad-device-id", "bus-away"] as const;

  /** Gives the profile that the device would have if the level set these fields. At the device they apply in any case. */
  const resolve = async (id: string, level: string, fields: OwnProfile): Promise<OwnProfile> => {
    const own = level === "device" ? fields : (await readLevel(bus, id)).own;
    const levels = [...(await readLowerLevels(bus, id, own)), { source: nameProfile(id), own }];
    return mergeLevels([...levels.map((one) => (one.source === level ? { own: fields } : one)), { own: fields }]);
  };

  addRoute(app, "post", "/api/profiles/devices/{id}/trial", {
    summary: "Tries fields of a level on one device for some minutes, without saving them",
    params: ByDevice,
    body: Trial,
    answer: z.object({ until: z.number().describe("ms since the epoch at which the trial ends by itself") }),
    problems: [...problems, "storage-full"],
    handle: async ({ params: { id }, body: { level, fields, seconds } }) => {
      requireBus(bus);
      const ttlMs = seconds * 1000;
      const until = bus.now() + ttlMs;
      await bucket.put(trialProfile(id), { ...(await resolve(id, level, fields)), until }, { ttlMs });
      log.info({ device: id, level, fields: Object.keys(fields), seconds }, "trial started");
      return { until };
    },
  });
  addRoute(app, "delete", "/api/profiles/devices/{id}/trial", {
    summary: "Ends a device's trial",
    params: ByDevice,
    answer: z.object({}),
    problems,
    handle: async ({ params: { id } }) => {
      requireBus(bus);
      await bucket.remove(trialProfile(id));
      log.info({ device: id }, "trial ended");
      return {};
    },
  });
}
