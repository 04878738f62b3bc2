import { ConflictError, type Bus } from "@voxbus/bus";
import { buckets, type OwnProfile } from "@voxbus/protocol";

/** Profiles that stand-ins have for the time of a replay. */
export interface StandInProfiles {
  /** The ids that have a profile already, which stays. */
  readonly kept: readonly string[];
  /** Removes what was written. */
  remove(): Promise<void>;
}

/** Gives stand-ins their profiles by id. A profile that exists is never changed. Throws BusAwayError. */
export async function giveProfiles(bus: Bus, profiles: ReadonlyMap<string, OwnProfile>): Promise<StandInProfiles> {
  const bucket = bus.bucket(buckets.profiles);
  const given = new Map<string, number>();
  const kept: string[] = [];
  async function remove(): Promise<void> {
    for (const [id, revision] of given) await bucket.remove(id, revision);
  }
  try {
    for (const [id, profile] of profiles) {
      try {
        given.set(id, await bucket.update(id, profile, 0));
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
        kept.push(id);
      }
    }
  } catch (error) {
    await remove();
    throw error;
  }
  return { kept, remove };
}
