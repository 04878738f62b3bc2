import { createHash } from "node:crypto";
import type { Bus } from "@voxbus/bus";
import { buckets, isName, type KeptMessage, type KeptMessages } from "@voxbus/protocol";

/** The most announcements that wait for one device. */
export const maxWaiting = 20;
/** The most announcements of a device that ended and whose states are still known. */
const maxEnded = 20;

/** As many announcements wait for a device as may. */
export class KeptFullError extends Error {
  override readonly name = "KeptFullError";
}

/** An announcement to keep. One with the same id is kept once. */
export interface Keepable extends Pick<KeptMessage, "emotion" | "language"> {
  readonly id: string;
  readonly text: string;
  /** The time for which it is kept, ms. */
  readonly keepMs: number;
}

/**
 * Keeps an announcement for a device, until `tools` has told it. Throws KeptFullError if 20 wait for the device already,
 * StorageFullError if all devices have as many as fit, BusAwayError.
 */
export type KeepMessage = (device: string, given: Keepable) => Promise<KeptMessage>;

/** Creates the function that keeps announcements. Those for one device are kept one after the other. */
export function createKeepMessage(bus: Bus): KeepMessage {
  const last = new Map<string, Promise<unknown>>();
  return (device, given) => {
    const kept = (last.get(device) ?? Promise.resolve()).then(() => keepMessage(bus, device, given));
    const done = kept
      .catch(() => undefined)
      .then(() => {
        if (last.get(device) === done) last.delete(device);
      });
    last.set(device, done);
    return kept;
  };
}

async function keepMessage(bus: Bus, device: string, given: Keepable): Promise<KeptMessage> {
  const { id, text, emotion, language, keepMs } = given;
  const now = bus.now();
  const message: KeptMessage = {
    id: nameKept(id),
    state: "waiting",
    at: now,
    expiresAt: now + keepMs,
    text,
    emotion,
    language,
    tries: 0,
  };
  let kept = message;
  await bus.bucket(buckets.kept).modify(device, (found) => {
    const { messages } = endExpired(found ?? { messages: [] }, bus.now());
    const same = messages.find((one) => one.id === message.id);
    kept = same ?? message;
    if (same !== undefined) return undefined;
    if (messages.filter(isWaiting).length >= maxWaiting) {
      throw new KeptFullError(`${maxWaiting} announcements wait for ${device} already`);
    }
    return { messages: [...messages, message] };
  });
  return kept;
}

/** Gives what is kept for a device, with those that have expired at `now` (ms) ended, and the oldest ended ones forgotten. */
export function endExpired({ messages }: KeptMessages, now: number): KeptMessages {
  // One that is being announced is ended by its announcer.
  const isOver = (one: KeptMessage) => isWaiting(one) && one.ring === undefined && one.expiresAt <= now;
  const current = messages.map((one) => (isOver(one) ? endKept(one, "expired", now) : one));
  const ended = current.filter((one) => !isWaiting(one));
  const forgotten = new Set(ended.slice(0, Math.max(0, ended.length - maxEnded)));
  return { messages: current.filter((one) => !forgotten.has(one)) };
}

/** Ends a kept announcement. Its text is forgotten. */
export function endKept(message: KeptMessage, state: "told" | "expired", now: number): KeptMessage {
  const { text: _text, missed: _missed, ...rest } = message;
  return { ...rest, state, endedAt: now };
}

/** True for an announcement that is still to be told. */
export function isWaiting({ state }: KeptMessage): boolean {
  return state === "waiting";
}

/** Gives the id under which the announcement with this reply id is kept: the same, unless it is no name. */
function nameKept(reply: string): string {
  return isName(reply) ? reply : createHash("sha256").update(reply).digest("hex");
}
