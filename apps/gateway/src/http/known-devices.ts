import type { Bus, Closer } from "@voxbus/bus";
import { buckets, type RegisteredDevice } from "@voxbus/protocol";

/** The devices that the buckets `registry` and `devices` know. Without these buckets no device is known. */
export interface KnownDevices {
  /** The decisions about a device, and its own tokens. */
  registered(device: string): RegisteredDevice | undefined;
  /** Reads them again: those of a device that was let in just now may not have come yet. Rejects with BusAwayError. */
  readAgain(device: string): Promise<RegisteredDevice | undefined>;
  /** Gives when a device was here last, ms since the epoch. Rejects with BusAwayError. */
  lastSeen(device: string): Promise<number | undefined>;
  /** Gives the time by the clock of NATS, ms since the epoch. */
  now(): number;
}

/** Knows no device. */
export const noKnownDevices: KnownDevices = {
  registered: () => undefined,
  readAgain: async () => undefined,
  lastSeen: async () => undefined,
  now: Date.now,
};

/**
 * Watches the registry. Resolves when the first snapshot is complete. While NATS is away the last decisions apply. Calls
 * `disabled` with each device that is disabled now, and with each one that an operator disables.
 */
export async function watchKnownDevices(bus: Bus, disabled: (device: string) => void): Promise<KnownDevices & Closer> {
  const records = bus.bucket(buckets.devices);
  const registry = bus.bucket(buckets.registry);
  const { entries, close } = await registry.watch((device, entry) => {
    if (entry?.value?.allowed === false) disabled(device);
  });
  return {
    registered: (device) => entries.get(device)?.value,
    readAgain: async (device) => (await registry.get(device))?.value,
    lastSeen: async (device) => (await records.get(device))?.value?.lastSeen,
    now: () => bus.now(),
    close,
  };
}
