import { UsageError } from "../command.ts";
import { standInId } from "./plan.ts";

/** How recorded devices are named in a replay. */
export interface Naming {
  /** The id of the one device. */
  readonly as: string | undefined;
  /** Every device keeps its own id. */
  readonly keepIds: boolean;
}

/** Gives each recorded device the id that it gets. Throws UsageError if two would share one. */
export function nameDevices(devices: Iterable<string>, { as, keepIds }: Naming): ReadonlyMap<string, string> {
  const recorded = [...devices];
  if (as !== undefined && keepIds) throw new UsageError("--as and --keep-ids exclude each other.");
  if (as !== undefined && recorded.length > 1)
    throw new UsageError(`--as names one device, and the recording has ${recorded.length}. Name one with --device.`);
  const ids = new Map(recorded.map((device) => [device, as ?? (keepIds ? device : standInId(device))]));
  if (new Set(ids.values()).size < ids.size)
    throw new UsageError("Two devices would get the same id. Name one with --device, or give one an id with --as.");
  return ids;
}
