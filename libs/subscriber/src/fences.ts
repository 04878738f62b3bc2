import type { InControlFrame } from "@voxbus/protocol";
import QuickLRU from "quick-lru";
import type { TurnId } from "./turn-id.ts";

/** The sessions' fences, as far as control frames have shown them. They only save work: the gateway decides. */
export interface Fences {
  /** Handles a control frame of any device. */
  handle(frame: InControlFrame): void;
  /** Gives the session's fence: infinite once the session is closed, 0 while it is unknown. */
  of(session: string): number;
  /** Gives a signal that aborts with FencedError when the fence reaches the turn's origin. Close it after the turn. */
  watch(turn: Pick<TurnId, "session" | "origin">): { readonly signal: AbortSignal; close(): void };
}

/** The reason for aborting a fenced turn. */
export class FencedError extends Error {
  override readonly name = "FencedError";
}

const maxSessions = 100_000;

/** Creates an empty view of the fences. It keeps at least the 100,000 sessions used last. */
export function createFences(): Fences {
  const fences = new QuickLRU<string, number>({ maxSize: maxSessions });
  const watched = new Map<string, Set<{ readonly origin: number; readonly abort: AbortController }>>();

  const of = (session: string) => fences.get(session) ?? 0;
  const reach = (session: string, { origin, abort }: { readonly origin: number; readonly abort: AbortController }) => {
    if (of(session) >= origin) abort.abort(new FencedError(`the turn ${session}:${origin} is fenced`));
  };
  return {
    of,
    handle(frame) {
      const { session } = frame;
      const fence = fenceOf(frame);
      if (fence <= of(session)) return;
      fences.set(session, fence);
      for (const entry of watched.get(session) ?? []) reach(session, entry);
    },
    watch({ session, origin }) {
      const entry = { origin, abort: new AbortController() };
      reach(session, entry);
      const entries = watched.get(session) ?? new Set();
      watched.set(session, entries.add(entry));
      return {
        signal: entry.abort.signal,
        close() {
          entries.delete(entry);
          if (entries.size === 0) watched.delete(session);
        },
      };
    },
  };
}

/** Gives the fence that a control frame sets; 0 if it sets none. */
function fenceOf({ seq, body }: InControlFrame): number {
  if (body.type === "abort") return seq;
  if (body.type === "fence") return body.fence;
  return body.type === "closed" ? Number.POSITIVE_INFINITY : 0;
}
