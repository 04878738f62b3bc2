import { deviceKey, Profile } from "@voxbus/protocol";
import type { Bus } from "@voxbus/bus";
import type { Profiles } from "./presence.ts";

const fallbackKey = "=default";

/**
 * Watches the profiles; resolves when they are in. A record that is no valid profile is passed over, as if it were not
 * there.
 */
export async function watchProfiles(bus: Bus): Promise<Profiles> {
  const schemaDefaults = Profile.parse({});
  let fallback = schemaDefaults;
  const parsed = new Map<string, Profile>();

  const watch = await bus.bucket("profiles").watch((key, entry) => {
    if (key === fallbackKey) {
      parsed.clear();
      fallback = Profile.safeParse(entry?.value ?? {}).data ?? schemaDefaults;
    } else {
      parsed.delete(key);
    }
  });

  return {
    of: (device) => {
      const key = deviceKey(device);
      const own = watch.entries.get(key)?.value;
      if (own === undefined) return fallback;
      let profile = parsed.get(key);
      if (profile === undefined) {
        profile = Profile.safeParse({ ...fallback, ...Object(own) }).data ?? fallback;
        parsed.set(key, profile);
      }
      return profile;
    },
    close: watch.close,
  };
}
