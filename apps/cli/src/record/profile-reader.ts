import type { Bus } from "@voxbus/bus";
import { readProfile } from "@voxbus/presence";
import type { Profile } from "@voxbus/protocol";

/** Reads the profiles of devices, each once, one after another. */
export interface ProfileReader {
  /** Reads the profile of a device that is seen for the first time. */
  see(device: string): void;
  /** Resolves when all profiles are read, with the reason if one could not be read: then no other is read after it. */
  done(): Promise<unknown>;
}

/** Creates a reader that gives each profile, with the defaults filled in, to `found`. */
export function createProfileReader(bus: Bus, found: (device: string, profile: Profile) => void): ProfileReader {
  const seen = new Set<string>();
  let reading = Promise.resolve();
  let problem: unknown;

  async function read(device: string): Promise<void> {
    if (problem !== undefined) return;
    try {
      found(device, await readProfile(bus, device));
    } catch (error) {
      problem = error;
    }
  }

  return {
    see(device) {
      if (seen.has(device)) return;
      seen.add(device);
      reading = reading.then(() => read(device));
    },
    async done() {
      await reading;
      return problem;
    },
  };
}
