import type { Bus } from "@voxbus/bus";
import {
  buckets,
  defaultProfile,
  groupProfile,
  groupsOf,
  levelOfProfile,
  type OwnProfile,
  Profile,
  profileFields,
  type ProfileSource,
  type StoredProfile,
} from "@voxbus/protocol";

/** The fields that one level sets. */
export interface ProfileFields {
  readonly source: ProfileSource;
  readonly own: OwnProfile;
}

/** A level of profiles as it is stored. */
export interface StoredLevel {
  /** 0: the level is not stored. */
  readonly revision: number;
  readonly own: OwnProfile;
  /** The names of stored fields that are not valid, `*` if that is all of them. They count as absent. */
  readonly invalid: readonly string[];
}

type Values = Readonly<Record<string, unknown>>;

const defaults = Profile.parse({});
/** The names of the fields that are maps. */
const maps = [...new Set(profileFields.filter((field) => field.includes(".")).map((field) => field.split(".")[0]!))];

/**
 * Lists the levels that apply to a device, the lowest first: the fleet, its groups, and its own. Its group is the device's own
 * or the fleet's; a group without a profile is left out. `read` gives the fields of an id of the bucket `profiles`.
 */
export function listLevels(
  own: OwnProfile | undefined,
  read: (id: string) => OwnProfile | undefined,
): readonly ProfileFields[] {
  const fleet = read(defaultProfile);
  const groups = groupsOf({ ...fleet, ...own }).toReversed();
  return [
    ...(fleet ? [{ source: "fleet" as const, own: fleet }] : []),
    ...groups.flatMap((group) => {
      const fields = read(groupProfile(group));
      return fields ? [{ source: `group:${group}` as const, own: fields }] : [];
    }),
    ...(own ? [{ source: "device" as const, own }] : []),
  ];
}

/** Merges levels, the lowest first: a field of a higher one comes before that of a lower one. So do fields within a map. */
export function mergeLevels(levels: readonly Pick<ProfileFields, "own">[]): OwnProfile {
  return levels.reduce<OwnProfile>((merged, { own }) => ({ ...merged, ...own, ...mergeMaps(merged, own) }), {});
}

/** Merges levels, the lowest first, and fills in the defaults of the schema. */
export function resolveProfile(levels: readonly Pick<ProfileFields, "own">[]): Profile {
  return mergeLevels([{ own: defaults }, ...levels]) as Profile;
}

/** Tells for each field of the schema where its value comes from. A field within a map has a dot, as in `engines.llm`. */
export function listSources(levels: readonly ProfileFields[]): Readonly<Record<string, ProfileSource | "default">> {
  const sourceOf = (field: string) => levels.findLast(({ own }) => readField(own, field) !== undefined)?.source;
  return Object.fromEntries(profileFields.map((field) => [field, sourceOf(field) ?? "default"]));
}

/** Reads one level. Throws BusAwayError. */
export async function readLevel(bus: Bus, id: string): Promise<StoredLevel> {
  const entry = await bus.bucket(buckets.profiles).get(id);
  if (entry?.value === undefined) return { revision: entry?.revision ?? 0, own: {}, invalid: entry ? ["*"] : [] };
  return { revision: entry.revision, ...checkGroups(id, entry.value) };
}

/** Reads the levels below one that sets the fields `own`, the lowest first. Throws BusAwayError. */
export async function readLowerLevels(bus: Bus, id: string, own: OwnProfile): Promise<readonly ProfileFields[]> {
  if (id === defaultProfile) return [];
  const read = async (lower: string) => [lower, (await readLevel(bus, lower)).own] as const;
  const fleet = await read(defaultProfile);
  const groups = levelOfProfile(id)?.kind === "group" ? [] : groupsOf({ ...fleet[1], ...own });
  const fields = new Map([fleet, ...(await Promise.all(groups.map((group) => read(groupProfile(group)))))]);
  return listLevels(own, (lower) => fields.get(lower)).slice(0, -1);
}

/** Reads the profile that applies to a device. Throws BusAwayError. */
export async function readProfile(bus: Bus, device: string): Promise<Profile> {
  const { own } = await readLevel(bus, device);
  return resolveProfile([...(await readLowerLevels(bus, device, own)), { own }]);
}

/** Gives the fields of a stored level. The groups decide which levels apply to a device, so a group cannot be in one. */
export function checkGroups(id: string, stored: StoredProfile | undefined): Omit<StoredLevel, "revision"> {
  const { own = {}, invalid = [] } = stored ?? {};
  const { group: _group, groups: _groups, ...rest } = own;
  if (levelOfProfile(id)?.kind !== "group") return { own, invalid };
  return { own: rest, invalid: [...invalid, ...["group", "groups"].filter((field) => field in own)] };
}

function mergeMaps(lower: Values, higher: Values): Values {
  const set = maps.filter((name) => higher[name]);
  return Object.fromEntries(set.map((name) => [name, { ...(lower[name] as Values), ...(higher[name] as Values) }]));
}

function readField(own: Values, field: string): unknown {
  return field.split(".").reduce<unknown>((part, key) => (part as Values | undefined)?.[key], own);
}
