import { setTimeout as sleep } from "node:timers/promises";
import { BusAwayError, ConflictError, type Bus } from "@voxbus/bus";
import { buckets, type Presence } from "@voxbus/protocol";
import type { OwnEntry } from "./own-entries.ts";

const retryMs = 500;
/** A session that reads presence within this time of its opening is newer than any session that it finds, ms. */
const freshMs = 2000;

/** A presence entry that was just written, and the one that it replaced. */
interface Entered extends Pick<OwnEntry, "presence" | "revision"> {
  readonly previous: Presence | undefined;
}

/** Writes presence with a term above the one found. The contract is `Registry.enter`. `closed`: the registry is closed. */
export async function enterPresence(
  bus: Bus,
  { device, given }: { readonly device: string; readonly given: Omit<Presence, "term"> },
  signal: AbortSignal,
  closed: () => boolean,
): Promise<Entered> {
  const bucket = bus.bucket(buckets.presence);
  const began = performance.now();
  let previous: Presence | undefined;
  let term = Math.ceil(given.since);
  /** The write whose outcome is unknown, with the revision that it expects. */
  let written: Pick<OwnEntry, "presence" | "revision"> | undefined;
  let isFirst = true;
  try {
    for (;;) {
      signal.throwIfAborted();
      try {
        const entry = await bucket.get(device);
        const found = entry?.value;
        // Our own write was stored, although no answer came.
        if (written && entry && found?.session === given.session) {
          return { presence: found, revision: entry.revision, previous };
        }
        const isLate = !isFirst || performance.now() - began > freshMs;
        if (isLate && found !== undefined && found.term >= term && !isOfSameProcess(found, given)) {
          throw await describeLoss(bus, found);
        }
        isFirst = false;
        previous = found;
        term = Math.max((found?.term ?? 0) + 1, term);
        written = { presence: { ...given, term }, revision: entry?.revision ?? 0 };
        const revision = await bucket.update(device, written.presence, written.revision);
        written = { ...written, revision };
        signal.throwIfAborted();
        return { ...written, previous };
      } catch (error) {
        if (error instanceof BusAwayError) await sleep(retryMs, undefined, { signal });
        else if (!(error instanceof ConflictError) || error instanceof HeldError) throw error;
        else written = undefined;
      }
    }
  } catch (error) {
    if (written !== undefined) {
      const own = { ...written, tail: Promise.resolve() };
      await leavePresence(bus, { device, own }, closed);
    }
    throw error;
  }
}

/** Thrown when another session holds the device for good. */
class HeldError extends ConflictError {}

/** The error for a session whose device was given to `found` later. It is no conflict if the gateway of that one is gone. */
async function describeLoss(bus: Bus, { gateway, epoch, term }: Presence): Promise<Error> {
  const lease = (await bus.bucket(buckets.gateways).get(gateway))?.value;
  if (lease?.epoch === epoch) return new HeldError(`a session with the higher term ${term} holds the device`);
  return new Error(`a session with the higher term ${term} held the device, on a gateway that is gone`);
}

function isOfSameProcess(one: Pick<Presence, "gateway" | "epoch">, other: Pick<Presence, "gateway" | "epoch">) {
  return one.gateway === other.gateway && one.epoch === other.epoch;
}

/**
 * Removes an own presence entry, and makes a write of it that is still on its way fail. Leaves another session's entry
 * alone. Gives up once `closed`.
 */
export async function leavePresence(
  bus: Bus,
  { device, own }: { readonly device: string; readonly own: OwnEntry },
  closed: () => boolean,
): Promise<void> {
  const bucket = bus.bucket(buckets.presence);
  await own.tail;
  let { revision } = own;
  const removeOnce = async (): Promise<boolean> => {
    try {
      await bucket.remove(device, revision);
      return true;
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
    }
    const entry = await bucket.get(device);
    if (entry?.value?.session !== own.presence.session) return true;
    revision = entry.revision;
    return false;
  };
  while (!closed()) {
    try {
      if (await removeOnce()) return;
    } catch (error) {
      if (!(error instanceof BusAwayError)) throw error;
      await sleep(retryMs);
    }
  }
}
