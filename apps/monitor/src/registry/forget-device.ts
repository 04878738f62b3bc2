import { setTimeout as sleep } from "node:timers/promises";
import type { Bus } from "@voxbus/bus";
import type { PresenceView } from "@voxbus/presence";
import { buckets, channels, trialProfile, type BucketRow } from "@voxbus/protocol";
import { z } from "zod";
import type { WaitingDevices } from "./waiting-devices.ts";

/** The longest wait for a session to end, ms. */
const endMs = 3000;
/** A program may still write the end of the turn that was cut. What it writes within this time is removed too, ms. */
const settleMs = 1000;
const pollMs = 50;

/** The number of entries that were removed, by bucket. */
export const Removed = z.record(z.string(), z.number().int());
export type Removed = z.infer<typeof Removed>;

/** The views by which a device's session and its waits are found. */
interface Views {
  readonly presence: PresenceView;
  readonly waiting: Pick<WaitingDevices, "removeAll">;
}

/**
 * Removes everything that is kept of a device: its entries in all buckets, and its messages in the streams. Closes its
 * session before. The device may connect again if the variables of the gateways allow it, and is then a new one. Throws
 * BusAwayError; what was removed until then stays removed.
 */
export async function forgetDevice(bus: Bus, { presence, waiting }: Views, id: string): Promise<Removed> {
  const wasOnline = await endSession(bus, presence, id);
  const removed = { ...(await removeAll(bus, id)), activations: await waiting.removeAll(id) };
  if (!wasOnline) return removed;
  await sleep(settleMs);
  return addUp(removed, await removeAll(bus, id));
}

/** Closes the session of a device, and waits for its end. Resolves with false if there was none. */
async function endSession(bus: Bus, presence: PresenceView, device: string): Promise<boolean> {
  const open = presence.online(device);
  if (open === undefined) return false;
  const { session, gateway } = open;
  bus.publish(channels.command(gateway), { body: { type: "disconnect", device, session, reason: "requested" } });
  const deadline = performance.now() + endMs;
  while (presence.online(device)?.session === session && performance.now() < deadline) await sleep(pollMs);
  return true;
}

/** The kinds of entries whose keys are a device, or begin with one. The registry comes first: it ends the device's tokens. */
const rowsOfDevices: readonly BucketRow[] = [
  buckets.registry,
  ...Object.values(buckets).filter((row) => row.pattern.startsWith("<device>") && row !== buckets.registry),
];

async function removeAll(bus: Bus, id: string): Promise<Removed> {
  const sessions = await listSessions(bus, id);
  const calls = await Promise.all(sessions.map((session) => bus.bucket(buckets.toolCalls).ids(session)));
  const removed: Record<string, number> = {};
  for (const row of rowsOfDevices) {
    const ids = row.pattern === "<device>" ? [id] : await bus.bucket(row).ids(id);
    removed[row.bucket] = await removeEntries(bus, row, ids);
  }
  await removeEntries(bus, buckets.profiles, [trialProfile(id)]);
  removed["tools"] = await removeEntries(bus, buckets.tools, sessions);
  removed["tool-calls"] = await removeEntries(bus, buckets.toolCalls, calls.flat());
  await bus.forget(id);
  return removed;
}

/** The sessions of a device that its other entries name. */
async function listSessions(bus: Bus, id: string): Promise<readonly string[]> {
  const [dialogue, record, presence] = await Promise.all([
    bus.bucket(buckets.dialogues).get(id),
    bus.bucket(buckets.devices).get(id),
    bus.bucket(buckets.presence).get(id),
  ]);
  const named = [
    record?.value?.session,
    presence?.value?.session,
    ...(dialogue?.value?.turns ?? []).map(({ session }) => session),
  ];
  return [...new Set(named)].filter((session) => session !== undefined);
}

async function removeEntries(bus: Bus, row: BucketRow, ids: readonly string[]): Promise<number> {
  const bucket = bus.bucket(row);
  let count = 0;
  for (const id of ids) {
    if ((await bucket.get(id)) === undefined) continue;
    await bucket.remove(id);
    count += 1;
  }
  return count;
}

function addUp(one: Removed, other: Removed): Removed {
  return Object.fromEntries(Object.entries(one).map(([bucket, count]) => [bucket, count + (other[bucket] ?? 0)]));
}
