import { ProtocolError } from "./errors.ts";

// A leading colon would make a KV key that begins with `=`, and those are no device's.
const deviceId = /^[A-Za-z0-9_-][A-Za-z0-9:_-]{0,63}$/;
const name = /^[A-Za-z0-9_-]{1,64}$/;
const mac = /^(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$/;

/**
 * The device id that may stand in a subject: 1 to 64 characters of `A-Z a-z 0-9 : _ -`, the first no colon; MAC-shaped ids are lower-cased.
 * Throws `bad-id` for anything else, so that no id can widen a subject.
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

/** A gateway id, group or session: as a device id but without `:`. Throws `bad-id` naming `field`. */
export function parseName(raw: string, field: string): string {
  if (!name.test(raw)) {
    throw new ProtocolError("bad-id", field, `${field} must be 1 to 64 characters of A-Z a-z 0-9 _ -`);
  }
  return raw;
}

/** True for what `parseDeviceId` takes unchanged. */
export function isDeviceId(id: string): boolean {
  return deviceId.test(id) && (!mac.test(id) || id === id.toLowerCase());
}

/** True for what `parseName` takes. */
export function isName(id: string): boolean {
  return name.test(id);
}

/** A device's key in a KV bucket: `:` cannot stand in a key and is written as `=`, which no id contains. */
export function deviceKey(id: string): string {
  return id.replaceAll(":", "=");
}

/** The device id of a KV key, or undefined for a key that is no device's (they begin with `=`). */
export function deviceOfKey(key: string): string | undefined {
  return key.startsWith("=") ? undefined : key.replaceAll("=", ":");
}
