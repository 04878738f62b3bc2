import type { Bus } from "@voxbus/bus";
import { buckets, defaultProfile, Profile } from "@voxbus/protocol";
import type { Profiles } from "./presence.ts";

/** Watches the profiles. Resolves when the first snapshot is complete. An invalid record is ignored. */
export async function watchProfiles(bus: Bus): Promise<Profiles> {
  const schemaDefaults = Profile.parse({});
  let fallback = schemaDefaults;
  const parsed = new Map<string, Profile>();

  const watch = await bus.bucket(buckets.profiles).watch((id, entry) => {
    if (id === defaultProfile) {
      parsed.clear();
      fallback = Profile.parse(entry?.value ?? {});
    } else {
      parsed.delete(id);
    }
  });

  return {
    of: (device) => {
      const own = watch.entries.get(device)?.value;
      if (own === undefined) return fallback;
      let profile = parsed.get(device);
      if (profile === undefined) {
        profile = Profile.parse({ ...fallback, ...own });
        parsed.set(device, profile);
      }
      return profile;
    },
    close: watch.close,
  };
}
