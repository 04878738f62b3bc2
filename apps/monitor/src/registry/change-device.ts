import { isDeepStrictEqual } from "node:util";
import type { Bus } from "@voxbus/bus";
import { buckets, type RegisteredDevice } from "@voxbus/protocol";
import { z } from "zod";
import { Name } from "../http/params.ts";

const name = z
  .string()
  .trim()
  .min(1)
  .max(64)
  .regex(/^\P{Cc}*$/u, "must not have control characters");

/** A change of what operators decided about a device. A field that is absent stays as it is; `null` removes it. */
export const DeviceChange = z.strictObject({
  name: name.nullish().describe("what people call it, at most 64 characters"),
  group: Name.nullish().describe("the group of its profile"),
  allowed: z.boolean().nullish().describe("true: let it in; false: disable it; null: the gateways' variables decide"),
  note: z.string().max(1024).nullish().describe("for operators, at most 1024 characters"),
});
export type DeviceChange = z.infer<typeof DeviceChange>;

/**
 * Changes a device, which is registered by that if it was not. The group is written to its profile. Throws BusAwayError,
 * StorageFullError or ConflictError; what was written until then stays, and the same change may be made again.
 */
export async function changeDevice(bus: Bus, id: string, { group, ...change }: DeviceChange): Promise<void> {
  if (group !== undefined) await changeGroup(bus, id, group ?? undefined);
  await bus.bucket(buckets.registry).modify(id, (found) => {
    const given = Object.entries(change).filter(([, value]) => value !== undefined);
    const fields = Object.entries({ since: bus.now(), ...found, ...Object.fromEntries(given) });
    const after = Object.fromEntries(fields.filter(([, value]) => value !== null));
    return isDeepStrictEqual(found, after) ? undefined : (after as RegisteredDevice);
  });
}

async function changeGroup(bus: Bus, id: string, group: string | undefined): Promise<void> {
  await bus.bucket(buckets.profiles).modify(id, (found) => {
    const { group: before, ...others } = found?.own ?? {};
    if (before === group) return undefined;
    return group === undefined ? others : { ...others, group };
  });
}
