import type { Bus } from "@voxbus/bus";
import { buckets, channels } from "@voxbus/protocol";

/** Creates a function that tells the bus which fields of a device's profile a program ignores. While NATS is away, it tells nothing. */
export function createProfileErrors(
  { publish, connected }: Pick<Bus, "publish" | "connected">,
  program: string,
): (device: string, fields: readonly string[]) => void {
  return (device, fields) => {
    if (!connected()) return;
    const subject = `$KV.${buckets.profiles.bucket}.${buckets.profiles.key(device)}`;
    for (const field of fields) {
      const limit = field.startsWith("engines.") ? "expected engines that the program has" : undefined;
      const error = { at: Date.now(), subject, reason: "bad-envelope", field, count: 1, ...(limit && { limit }) };
      publish(channels.error(program), error);
    }
  };
}
