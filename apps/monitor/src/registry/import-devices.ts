import { BusAwayError, ConflictError, StorageFullError, type Bus } from "@voxbus/bus";
import { Problem, type ProblemName } from "../http/problems.ts";
import { changeDevice } from "./change-device.ts";
import type { DeviceRow } from "./device-file.ts";

/** Devices that are written at once. */
const writers = 32;

/**
 * Changes every device of a file. A device stays as it is if the row changes nothing. Throws a Problem that tells how many
 * were changed at least if NATS does not take them all. The same file may then be imported again.
 */
export async function importDevices(bus: Bus, rows: readonly DeviceRow[]): Promise<void> {
  const waiting = rows.values();
  const failures: unknown[] = [];
  let done = 0;
  const work = async () => {
    for (const { id, change } of waiting) {
      if (failures.length > 0) return;
      try {
        await changeDevice(bus, id, change);
        done += 1;
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: writers }, work));
  const [cause] = failures;
  if (cause === undefined) return;
  const detail = `at least ${done} of ${rows.length} devices were imported: import the file again`;
  throw new Problem(nameProblem(cause), detail, { cause });
}

function nameProblem(error: unknown): ProblemName {
  if (error instanceof StorageFullError) return "storage-full";
  if (error instanceof BusAwayError) return "bus-away";
  return error instanceof ConflictError ? "revision-conflict" : "internal";
}
