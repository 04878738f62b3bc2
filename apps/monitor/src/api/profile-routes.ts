import { ConflictError, type Bus } from "@voxbus/bus";
import { checkGroups, listSources, readLevel, readLowerLevels, resolveProfile, type Profiles } from "@voxbus/presence";
import { buckets, defaultProfile, groupProfile, groupsOf, nameProfile } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import type { Context } from "hono";
import { z } from "zod";
import { ByDevice, ByGroup, Nothing } from "../http/params.ts";
import { Problem, type ProblemName } from "../http/problems.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { applyPatch, GroupFields, GroupPatch, LevelFields, LevelPatch } from "./profile-fields.ts";
import { requireBus } from "./require.ts";

const fields = z.record(z.string(), z.unknown());
const sources = z.record(z.string(), z.string());

const Shown = z.object({
  revision: z.number().int().describe("revision for If-Match of the next change; 0: the level is not stored"),
  own: fields.describe("the fields that this level sets"),
  invalid: z
    .array(z.string())
    .describe("names of stored fields that are not valid, * for all of them; they count as absent"),
  profile: fields.describe("the profile that applies: own fields over those of the levels below"),
  sources: sources.describe("where each field comes from: device, group:NAME, fleet or default"),
  inherited: z.object({ profile: fields, sources }).describe("the same without this level's own fields"),
});

const Groups = z.object({
  groups: z
    .array(z.object({ group: z.string(), devices: z.number().int().describe("devices of it that are online") }))
    .describe("groups that have a profile, or that a profile names"),
});

/** Where one level of profiles is read and written. */
interface LevelRoute {
  readonly path: string;
  /** The level, for summaries. */
  readonly what: string;
  readonly params: z.ZodObject;
  readonly problems: readonly ProblemName[];
  readonly body: z.ZodObject;
  readonly patch: z.ZodObject;
  /** Gives the level's id in the bucket. */
  idOf(params: unknown): string;
}

const common = { params: Nothing, problems: [], body: LevelFields, patch: LevelPatch } as const;
const ofDevice = {
  ...common,
  what: "a device's own profile",
  params: ByDevice,
  problems: ["bad-device-id"],
  idOf: (params: unknown) => ByDevice.parse(params).id,
} as const;

const routes: readonly LevelRoute[] = [
  { ...common, path: "/api/profiles/fleet", what: "the fleet's profile", idOf: () => defaultProfile },
  {
    path: "/api/profiles/groups/{group}",
    what: "a group's profile",
    params: ByGroup,
    problems: ["bad-name"],
    body: GroupFields,
    patch: GroupPatch,
    idOf: (params) => groupProfile(ByGroup.parse(params).group),
  },
  { ...ofDevice, path: "/api/profiles/devices/{id}" },
  { ...ofDevice, path: "/api/devices/{id}/profile" },
];

/** Dependencies of the routes of profiles. */
export interface ProfileRoutesDeps {
  readonly bus: Bus;
  readonly presence: { devices(): Iterable<readonly [device: string, presence: unknown]> };
  readonly profiles: Pick<Profiles, "of" | "groups">;
  readonly log: Log;
}

/**
 * Adds the routes that read and write profiles: the fleet's, a group's, and a device's, online or not. Gateways and programs apply a
 * change to the next turn.
 */
export function addProfileRoutes(app: App, deps: ProfileRoutesDeps): void {
  for (const route of routes) addLevelRoutes(app, deps, route);
  addRoute(app, "get", "/api/profiles/groups", {
    summary: "The groups, and how many devices of each are online",
    answer: Groups,
    problems: [],
    handle: () => {
      const counts = new Map(deps.profiles.groups().map((group) => [group, 0]));
      for (const [device] of deps.presence.devices())
        for (const group of groupsOf(deps.profiles.of(device))) counts.set(group, (counts.get(group) ?? 0) + 1);
      return { groups: [...counts].map(([group, devices]) => ({ group, devices })) };
    },
  });
}

/** Shows levels, and changes them. */
function openLevels({ bus, log }: Pick<ProfileRoutesDeps, "bus" | "log">) {
  const show = async (id: string, context: Context): Promise<z.infer<typeof Shown>> => {
    const { revision, own, invalid } = await readLevel(bus, id);
    const lower = await readLowerLevels(bus, id, own);
    const levels = [...lower, { source: nameProfile(id), own }];
    context.header("etag", `"${revision}"`);
    return {
      revision,
      own,
      invalid: [...invalid],
      profile: resolveProfile(levels),
      sources: listSources(levels),
      inherited: { profile: resolveProfile(lower), sources: listSources(lower) },
    };
  };
  /** Makes a change, tells the log of it, and shows the level after it. */
  const change = async (id: string, context: Context, fields: readonly string[], make: () => Promise<unknown>) => {
    requireBus(bus);
    try {
      await make();
    } catch (cause) {
      if (!(cause instanceof ConflictError)) throw cause;
      throw new Problem("revision-conflict", "the profile was changed in the meantime: read it again", { cause });
    }
    log.info({ profile: id, fields }, "profile changed");
    return show(id, context);
  };
  return { show, change };
}

function addLevelRoutes(app: App, deps: ProfileRoutesDeps, route: LevelRoute): void {
  const { path, what, params, body, patch, idOf } = route;
  const { bus } = deps;
  const bucket = bus.bucket(buckets.profiles);
  const problems = [...route.problems, "bus-away"] as const;
  const changing = [...problems, "storage-full", "revision-missing", "revision-conflict"] as const;
  const { show, change } = openLevels(deps);

  addRoute(app, "get", path, {
    summary: `Reads ${what}, and tells where each value that applies comes from`,
    params,
    answer: Shown,
    problems,
    handle: async ({ params, context }) => {
      requireBus(bus);
      return show(idOf(params), context);
    },
  });
  addRoute(app, "put", path, {
    summary: `Replaces ${what}, if it is still at the revision that If-Match names (0: not stored)`,
    params,
    body,
    answer: Shown,
    problems: changing,
    handle: async ({ params, body: own, context }) => {
      const [id, revision] = [idOf(params), readRevision(context)];
      if (revision === undefined) throw revisionMissing();
      return change(id, context, Object.keys(own), () => bucket.update(id, own, revision));
    },
  });
  addRoute(app, "patch", path, {
    summary: `Changes fields of ${what}; null removes one. If-Match may name its revision`,
    params,
    body: patch,
    answer: Shown,
    problems: changing,
    handle: async ({ params, body: fields, context }) => {
      const [id, revision] = [idOf(params), readRevision(context)];
      return change(id, context, Object.keys(fields), async () => {
        if (revision === undefined)
          return bucket.modify(id, (stored) => applyPatch(checkGroups(id, stored).own, fields));
        const { own } = await readLevel(bus, id);
        return bucket.update(id, applyPatch(own, fields), revision);
      });
    },
  });
  addRoute(app, "delete", path, {
    summary: `Removes ${what}. If-Match may name its revision`,
    params,
    answer: Shown,
    problems: changing,
    handle: async ({ params, context }) => {
      const [id, revision] = [idOf(params), readRevision(context)];
      return change(id, context, [], () => bucket.remove(id, revision));
    },
  });
}

/** Reads the revision that If-Match names; undefined without one, or for any (`*`). */
function readRevision({ req }: Context): number | undefined {
  const given = req.header("if-match");
  if (given === undefined || given === "*") return undefined;
  const named = /^(?:W\/)?"?(\d{1,15})"?$/.exec(given)?.[1];
  if (named === undefined) throw revisionMissing();
  return Number(named);
}

function revisionMissing(): Problem {
  return new Problem("revision-missing", 'send the revision that you read as `If-Match: "…"`');
}
