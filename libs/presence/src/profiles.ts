import type { Bus, BusLog } from "@voxbus/bus";
import { buckets, groupsOf, levelOfProfile, nameProfile, type OwnProfile, type Profile } from "@voxbus/protocol";
import type { Profiles } from "./presence.ts";
import { checkGroups, listLevels, mergeLevels, resolveProfile, type StoredLevel } from "./profile-levels.ts";

/** The names of the engines that a program has, by role. */
export type EngineNames = Readonly<Partial<Record<keyof Profile["engines"], readonly string[]>>>;

/**
 * Watches the profiles of all levels. Resolves when the first snapshot is complete. A field that is not valid, or that names an
 * engine which the program does not have, counts as absent; of a list of engines, the others remain. Each change with such
 * fields is logged once, and `onIgnored` is called.
 */
export async function watchProfiles(
  bus: Bus,
  log: Pick<BusLog, "warn">,
  engines: EngineNames = {},
  onIgnored?: (id: string, fields: readonly string[]) => void,
): Promise<Profiles> {
  const levels = new Map<string, OwnProfile>();
  const trials = new Map<string, { readonly until: number; readonly profile: Profile }>();
  const resolved = new Map<string, Profile>();
  const watchers = new Set<(device: string | undefined) => void>();
  const resolve = (own?: OwnProfile) => resolveProfile(listLevels(own, (id) => levels.get(id)));
  /** The profile of devices that have none of their own. */
  let common = resolve();
  const saved = (device: string) => {
    const own = levels.get(device);
    if (own === undefined) return common;
    const profile = resolved.get(device) ?? resolve(own);
    resolved.set(device, profile);
    return profile;
  };

  const watch = await bus.bucket(buckets.profiles).watch((id, entry) => {
    const level = levelOfProfile(id);
    if (level === undefined) return;
    const { valid, ignored } = checkEngines(checkGroups(id, entry?.value), engines);
    const device = "device" in level ? level.device : undefined;
    const place = device === undefined ? { source: nameProfile(id) } : { device };
    if (ignored.length > 0) {
      log.warn({ ...place, fields: ignored }, "profile fields invalid, ignored");
      onIgnored?.(id, ignored);
    }
    if (level.kind === "trial") {
      if (entry?.value === undefined) trials.delete(level.device);
      else trials.set(level.device, { until: entry.value.until, profile: resolveProfile([{ own: valid }]) });
    } else {
      if (entry?.value === undefined) levels.delete(id);
      else levels.set(id, valid);
      if (device === undefined) {
        resolved.clear();
        common = resolve();
      } else resolved.delete(device);
    }
    for (const changed of watchers) changed(device);
  });

  return {
    of(device) {
      const trial = trials.get(device);
      if (trial !== undefined) {
        if (bus.now() < trial.until) return trial.profile;
        trials.delete(device);
      }
      return saved(device);
    },
    saved,
    stored: (device) => mergeLevels(listLevels(levels.get(device), (id) => levels.get(id))),
    groups() {
      const named = [...levels].flatMap(([id, own]) => {
        const level = levelOfProfile(id);
        return level?.kind === "group" ? [level.group] : groupsOf(own);
      });
      return [...new Set(named)].sort();
    },
    watch(changed) {
      // A watcher that is given twice is called twice.
      const watcher = (device: string | undefined) => changed(device);
      watchers.add(watcher);
      return { close: () => void watchers.delete(watcher) };
    },
    close() {
      watchers.clear();
      watch.close();
    },
  };
}

/** Leaves out engines that the program does not have, and lists all fields that are ignored. */
function checkEngines(
  { own, invalid }: Omit<StoredLevel, "revision">,
  known: EngineNames,
): { readonly valid: OwnProfile; readonly ignored: readonly string[] } {
  if (own.engines === undefined) return { valid: own, ignored: invalid };
  const chosen = Object.entries(own.engines) as [keyof EngineNames, string | readonly string[]][];
  const checked = chosen.map(([role, names]) => {
    const all = [names].flat();
    return { role, names, all, usable: all.filter((name) => known[role]?.includes(name) ?? true) };
  });
  const kept = checked.flatMap(({ role, names, all, usable }) =>
    usable.length === 0 ? [] : [[role, usable.length === all.length ? names : usable] as const],
  );
  const odd = checked.filter(({ all, usable }) => usable.length < all.length);
  return {
    valid: { ...own, engines: Object.fromEntries(kept) },
    ignored: [...invalid, ...odd.map(({ role }) => `engines.${role}`)],
  };
}
