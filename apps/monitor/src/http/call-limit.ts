import type { Client } from "@voxbus/subscriber";
import { Problem } from "./problems.ts";

const minuteMs = 60_000;

/** Limits the API calls of each caller. */
export interface CallLimit {
  /** Counts a call by the token of this name, or by an address. Throws the Problem `too-many-calls`, with `Retry-After`, and counts nothing if it is one too many. */
  count(client: Client, token?: string): void;
}

/**
 * Creates the limit: at most `perMinute` calls in any 60 s; 0: any number. All who have the same token are one caller; without
 * one, each address is. It remembers the calls of the last minute, of at most `most` callers; beyond, it forgets the
 * caller whose last call is the oldest. `now` in ms.
 */
export function createCallLimit(options: {
  readonly perMinute: number;
  readonly most?: number;
  readonly now?: () => number;
}): CallLimit {
  const { perMinute, most = 10_000, now = () => performance.now() } = options;
  /** The times of each caller's calls, oldest first. The caller with the newest call comes last. */
  const calls = new Map<string, readonly number[]>();
  // No address begins with "=".
  const callerOf = ({ address, group = address }: Client, token?: string) =>
    token === undefined ? group : `=${token}`;

  const forget = (at: number) => {
    for (const [caller, times] of calls) {
      if (calls.size <= most && (times.at(-1) ?? 0) > at - minuteMs) break;
      calls.delete(caller);
    }
  };
  return {
    count(client, token) {
      if (perMinute === 0) return;
      const at = now();
      const caller = callerOf(client, token);
      const times = (calls.get(caller) ?? []).filter((time) => time > at - minuteMs);
      const [oldest] = times;
      if (oldest !== undefined && times.length >= perMinute) {
        const seconds = Math.max(1, Math.ceil((oldest + minuteMs - at) / 1000));
        throw new Problem("too-many-calls", `at most ${perMinute} calls a minute, try again in ${seconds} s`, {
          headers: { "retry-after": String(seconds) },
        });
      }
      calls.delete(caller);
      calls.set(caller, [...times, at]);
      forget(at);
    },
  };
}
