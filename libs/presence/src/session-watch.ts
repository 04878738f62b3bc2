import type { Bus, Closer } from "@voxbus/bus";
import type { PresenceView } from "./presence.ts";

/** Follows sessions on behalf of work that is useless without them. */
export interface SessionWatch extends Closer {
  /**
   * Calls `gone` once when the session is no longer its device's, or when the lease of its gateway is gone. Without
   * `session` it follows the one that is online first. A session may appear a little later than its messages.
   */
  follow(of: { readonly device: string; readonly session?: string | undefined }, gone: () => void): Closer;
}

/** Times of a session watch in ms. */
interface SessionWatchTimes {
  /** The interval of the checks. */
  readonly everyMs: number;
  /** A session that was online is gone after it was missing for this long: a gateway restores wiped presence meanwhile. */
  readonly missingMs: number;
  /** A session that was not online yet is gone after this time. */
  readonly lateMs: number;
  /** No session is gone for this long after a reconnect: gateways renew their leases first. */
  readonly settleMs: number;
}

const usualTimes: SessionWatchTimes = { everyMs: 500, missingMs: 3000, lateMs: 5000, settleMs: 10_000 };

interface Followed {
  readonly device: string;
  session: string | undefined;
  wasOnline: boolean;
  missingSince: number | undefined;
  readonly gone: () => void;
}

/** Watches sessions in a view of presence. All of them are checked together, twice a second. */
export function watchSessions(
  bus: Pick<Bus, "connected" | "onChange">,
  view: Pick<PresenceView, "online">,
  { everyMs, missingMs, lateMs, settleMs }: SessionWatchTimes = usualTimes,
): SessionWatch {
  const followed = new Set<Followed>();
  let settledAt = -Infinity;

  const isGone = (one: Followed, now: number): boolean => {
    const online = view.online(one.device)?.session;
    one.session ??= online;
    if (online !== undefined && online === one.session) {
      one.wasOnline = true;
      one.missingSince = undefined;
      return false;
    }
    if (one.wasOnline && online !== undefined) return true;
    one.missingSince ??= now;
    return now - one.missingSince >= (one.wasOnline ? missingMs : lateMs);
  };
  const check = (): void => {
    const now = performance.now();
    const isBlind = !bus.connected() || now < settledAt;
    for (const one of followed) {
      if (isBlind) one.missingSince = undefined;
      else if (isGone(one, now)) {
        followed.delete(one);
        one.gone();
      }
    }
  };
  const timer = setInterval(check, everyMs);
  timer.unref();
  const watch = bus.onChange((connected) => {
    if (connected) settledAt = performance.now() + settleMs;
  });

  return {
    follow: ({ device, session }, gone) => {
      const one: Followed = { device, session, wasOnline: false, missingSince: undefined, gone };
      followed.add(one);
      return { close: () => void followed.delete(one) };
    },
    close: () => {
      clearInterval(timer);
      watch.close();
      followed.clear();
    },
  };
}
