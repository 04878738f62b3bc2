import { setTimeout as sleep } from "node:timers/promises";
import { BusAwayError, ConflictError, type Bus } from "@voxbus/bus";
import { buckets, type Presence } from "@voxbus/protocol";
import type { OwnEntry } from "./own-entries.ts";

const retryMs = 500;

/** A presence entry that was just written, and the one that it replaced. */
interface Entered extends Pick<OwnEntry, "presence" | "revision"> {
  readonly previous: Presence | undefined;
}

/** Writes presence with a term above the one found. The contract is `Registry.enter`. */
export async function enterPresence(
  bus: Bus,
  { device, given }: { readonly device: string; readonly given: Omit<Presence, "term"> },
  signal: AbortSignal,
): Promise<Entered> {
  const bucket = bus.bucket(buckets.presence);
  for (let tried = 0; ;) {
    signal.throwIfAborted();
    let found: Presence | undefined;
    try {
      const entry = await bucket.get(device);
      found = entry?.value;
      if (tried === 0 || found === undefined || found.term <= tried) {
        tried = Math.max(found?.term ?? 0, tried) + 1;
        const presence = { ...given, term: tried };
        const revision = await bucket.update(device, presence, entry?.revision ?? 0);
        if (signal.aborted) await bucket.remove(device, revision);
        signal.throwIfAborted();
        return { presence, revision, previous: found };
      }
    } catch (error) {
      if (error instanceof BusAwayError) await sleep(retryMs, undefined, { signal });
      else if (!(error instanceof ConflictError)) throw error;
      continue;
    }
    throw new ConflictError(`a session with the higher term ${found.term} holds the device`);
  }
}

/** Removes an own presence entry. Leaves another session's entry alone. Gives up once `closed`. */
export async function leavePresence(
  bus: Bus,
  { device, own }: { readonly device: string; readonly own: OwnEntry },
  closed: () => boolean,
): Promise<void> {
  const bucket = bus.bucket(buckets.presence);
  await own.tail;
  for (let { revision } = own; ;) {
    if (closed()) return;
    try {
      await bucket.remove(device, revision);
      return;
    } catch (error) {
      if (error instanceof BusAwayError) await sleep(retryMs);
      else if (!(error instanceof ConflictError)) throw error;
    }
    const entry = await bucket.get(device);
    if (entry?.value?.session !== own.presence.session) return;
    revision = entry.revision;
  }
}
