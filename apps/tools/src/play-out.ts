import type { Bus } from "@voxbus/bus";
import type { PresenceView, SessionWatch } from "@voxbus/presence";
import { channels, type Say } from "@voxbus/protocol";

/** How an announcement ended. `unknown`: it began before the oldest announcement that `TURNS` holds. */
export type PlayOutcome = (typeof playOutcomes)[number];
export const playOutcomes = ["rung", "missed", "unknown"] as const;

/** An announcement that is being made: the reply of this id in this session, since `at`, ms. */
export interface Ring {
  readonly reply: string;
  readonly session: string;
  readonly at: number;
}

/** A ring with what it says. */
export interface Ringing extends Pick<Say, "text" | "emotion" | "language"> {
  readonly device: string;
  readonly ring: Ring;
}

/** Dependencies of a play-out. */
export interface PlayOutDeps {
  readonly bus: Bus;
  readonly sessions: Pick<SessionWatch, "follow">;
}

/** The longest wait for the end of an announcement, ms. After it, tts has not spoken it yet, but still will. */
const playMs = 120_000;
/** The same from the beginning of a ring, if another process stored the announcement: its end may have been told before. */
const takenOverMs = 40_000;
/** The longest wait for the receipt of an announcement that was shown, ms. Later, the device gives none. */
const receiptMs = 6000;
/** Within this time, storing an announcement again changes nothing, ms: a little less than `TURNS` looks for duplicates. */
const sameMs = 9 * 60_000;
/** The time for which `TURNS` holds an announcement, ms: a little less than its age. */
const heldMs = 55 * 60_000;

/** Gives the session in which a device can be told something now: none while it is offline, or seems to be gone. */
export function tellableSession(presence: Pick<PresenceView, "online">, device: string): string | undefined {
  const { session, state } = presence.online(device) ?? {};
  return state === "suspicious" ? undefined : session;
}

/**
 * Announces a text in the session of its ring, once for its reply id, and resolves with how that ended. `now` in ms.
 * `isTakenOver`: another process began it. Throws the reason of `signal`, and the errors of `Bus.store`.
 */
export async function playOut(
  { bus, sessions }: PlayOutDeps,
  { device, ring, text, emotion, language }: Ringing,
  { now, isTakenOver }: { readonly now: number; readonly isTakenOver: boolean },
  signal: AbortSignal,
): Promise<PlayOutcome> {
  const { reply, session, at } = ring;
  if (isTakenOver && now - at > sameMs) return findOutcome(bus, device, ring, now);
  const say: Say = { session, reply, attempt: 1, sentence: 0, text, emotion, language, last: true };
  const { promise: end, resolve, reject } = createDeferred<PlayOutcome>();
  const gone = createDeferred<void>();
  let timer: NodeJS.Timeout | undefined;
  let receiptTimer: NodeJS.Timeout | undefined;
  const stop = () => reject(signal.reason as Error);
  signal.addEventListener("abort", stop);
  const events = bus.subscribe(channels.event(device), ({ turn, receipt }) => {
    if (receipt?.reply === reply) resolve(receipt.result === "delivered" ? "rung" : "missed");
    if (turn?.reply !== reply) return;
    if (!turn.complete && turn.sentence === undefined) resolve("missed");
    // Shown to an idle device, which may be gone. Its receipt decides, but not every device gives one.
    else if (turn.reason === "no-channel") receiptTimer ??= setTimeout(() => resolve("rung"), receiptMs);
    else resolve("rung");
  });
  const following = sessions.follow({ device, session }, gone.resolve);
  try {
    const { duplicate } = await bus.store(channels.sayOpen(device), say, { id: reply }, signal);
    // It may have been played before its process died, and the session may have ended since.
    const isStoredBefore = isTakenOver && duplicate;
    void gone.promise.then(() => resolve(isStoredBefore ? "rung" : "missed"));
    timer = setTimeout(() => resolve("rung"), isStoredBefore ? Math.max(0, at + takenOverMs - now) : playMs);
    return await end;
  } finally {
    signal.removeEventListener("abort", stop);
    clearTimeout(timer);
    clearTimeout(receiptTimer);
    following.close();
    events.close();
  }
}

function createDeferred<T>() {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // It may reject while the announcement is still being stored.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

/** Finds out in the stream whether an old ring was announced. Its process died between writing the ring and its end. */
async function findOutcome(bus: Bus, device: string, ring: Ring, now: number): Promise<PlayOutcome> {
  if (now - ring.at > heldMs) return "unknown";
  const { messages } = await bus.stored(channels.sayOpen(device), { limit: 1024, from: { time: ring.at } });
  return messages.some((say) => say.reply === ring.reply) ? "rung" : "missed";
}
