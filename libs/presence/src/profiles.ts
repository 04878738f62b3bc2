import type { Bus, BusLog } from "@voxbus/bus";
import { buckets, defaultProfile, Profile, type OwnProfile, type StoredProfile } from "@voxbus/protocol";
import type { Profiles } from "./presence.ts";

/** The names of the engines that a program has, by role. */
export type EngineNames = Readonly<Partial<Record<keyof Profile["engines"], readonly string[]>>>;

/**
 * Watches the profiles. Resolves when the first snapshot is complete. A field that is not valid, or that names an engine
 * which the program does not have, counts as absent. Each change with such fields is logged once.
 */
export async function watchProfiles(bus: Bus, log: Pick<BusLog, "warn">, engines: EngineNames = {}): Promise<Profiles> {
  let fallback = Profile.parse({});
  const own = new Map<string, OwnProfile>();
  const parsed = new Map<string, Profile>();

  const watch = await bus.bucket(buckets.profiles).watch((id, entry) => {
    parsed.delete(id);
    own.delete(id);
    const { valid, ignored } = checkEngines(entry?.value, engines);
    if (ignored.length > 0) log.warn({ device: id, fields: ignored }, "profile fields invalid, ignored");
    if (id === defaultProfile) {
      parsed.clear();
      fallback = Profile.parse(valid);
    } else if (entry?.value !== undefined) own.set(id, valid);
  });

  return {
    of(device) {
      const fields = own.get(device);
      if (fields === undefined) return fallback;
      const profile = parsed.get(device) ?? Profile.parse({ ...fallback, ...fields });
      parsed.set(device, profile);
      return profile;
    },
    close: watch.close,
  };
}

/** Leaves out engines that the program does not have, and lists all fields that are ignored. */
function checkEngines(
  stored: StoredProfile | undefined,
  known: EngineNames,
): { readonly valid: OwnProfile; readonly ignored: readonly string[] } {
  const { own = {}, invalid = [] } = stored ?? {};
  if (own.engines === undefined) return { valid: own, ignored: invalid };
  const chosen = Object.entries(own.engines) as [keyof EngineNames, string][];
  const isKnown = ([role, name]: (typeof chosen)[number]) => known[role]?.includes(name) ?? true;
  return {
    valid: { ...own, engines: Object.fromEntries(chosen.filter(isKnown)) },
    ignored: [...invalid, ...chosen.filter((one) => !isKnown(one)).map(([role]) => `engines.${role}`)],
  };
}
