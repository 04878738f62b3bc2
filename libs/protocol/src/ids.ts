import { ProtocolError } from "./errors.ts";

// A leading colon would become a KV key that begins with `=`, which never belongs to a device.
const deviceId = /^[A-Za-z0-9_-][A-Za-z0-9:_-]{0,63}$/;
/** The ids of gateways, groups and sessions. */
export const namePattern = /^[A-Za-z0-9_-]{1,64}$/;
const mac = /^(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$/;

/**
 * Gives the device id as it stands in subjects: 1 to 64 characters of `A-Z a-z 0-9 : _ -`, not beginning with a colon.
 * MAC-shaped ids are lowercased. Throws `bad-id` for anything else, so that no id can widen a subject.
 */
export function parseDeviceId(raw: string): string {
  if (!deviceId.test(raw)) {
    throw new ProtocolError(
      "bad-id",
      "device-id",
      "device-id must be 1 to 64 characters of A-Z a-z 0-9 : _ -, the first no colon",
    );
  }
  return mac.test(raw) ? raw.toLowerCase() : raw;
}

/** Checks the id of a gateway, group or session: like a device id, but without `:`. Throws `bad-id` naming `field`. */
export function parseName(raw: string, field: string): string {
  if (!namePattern.test(raw)) {
    throw new ProtocolError("bad-id", field, `${field} must be 1 to 64 characters of A-Z a-z 0-9 _ -`);
  }
  return raw;
}

/** True for ids that `parseDeviceId` gives back unchanged. */
export function isDeviceId(id: string): boolean {
  return deviceId.test(id) && (!mac.test(id) || id === id.toLowerCase());
}

/** True for ids that `parseName` accepts. */
export function isName(id: string): boolean {
  return namePattern.test(id);
}

/** Gives a device's key in a bucket. `:` cannot stand in a key; it is written as `=`, which no id contains. */
export function deviceKey(id: string): string {
  return id.replaceAll(":", "=");
}

/** Gives the device id of a key, or undefined for a key that begins with `=`: it does not belong to a device. */
export function deviceOfKey(key: string): string | undefined {
  return key.startsWith("=") ? undefined : key.replaceAll("=", ":");
}
