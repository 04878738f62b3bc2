import type { InControlFrame } from "@voxbus/protocol";

/** What is known of the sessions' fences, from the control frames that pass by. Only saves work: the gateway decides. */
export interface Fences {
  /** Takes any control frame of any device. */
  take(frame: InControlFrame): void;
  /** The session's fence; infinite once the session is closed, 0 when nothing is known. */
  of(session: string): number;
  /** A signal that aborts when the fence reaches `origin`, and how to forget it. */
  watch(session: string, origin: number): { readonly signal: AbortSignal; close(): void };
}

/** The reason of a fenced turn's signal. */
export class FencedError extends Error {
  override readonly name = "FencedError";
}

const mostSessions = 100_000;

/** Creates an empty view of the fences; the newest 100,000 sessions that ever had one are kept. */
export function createFences(): Fences {
  const fences = new Map<string, number>();
  const watched = new Map<string, Set<{ readonly origin: number; readonly abort: AbortController }>>();

  const of = (session: string) => fences.get(session) ?? 0;
  return {
    of,
    take({ session, seq, body }) {
      let fence = 0;
      if (body.type === "abort") fence = seq;
      else if (body.type === "fence") fence = body.fence;
      else if (body.type === "closed") fence = Number.POSITIVE_INFINITY;
      if (fence <= of(session)) return;
      fences.set(session, fence);
      if (fences.size > mostSessions) fences.delete(fences.keys().next().value ?? "");
      for (const { origin, abort } of watched.get(session) ?? []) {
        if (fence >= origin) abort.abort(new FencedError(`the turn ${session}:${origin} is fenced`));
      }
    },
    watch(session, origin) {
      const entry = { origin, abort: new AbortController() };
      if (of(session) >= origin) entry.abort.abort(new FencedError(`the turn ${session}:${origin} is fenced`));
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
