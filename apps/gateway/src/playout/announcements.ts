import { fixedLimits } from "../limits.ts";

/** The announcements that a session knows. Each is ranked once, and one that ended stays dead. */
export interface Announcements {
  /**
   * Gives an announcement's rank among the replies. Its first frame fixes it: after everything caused up to `seq`.
   * Undefined once the announcement has ended.
   */
  rank(id: string, seq: number): number | undefined;
  /** True once an announcement's first frame has come, also if it has ended. */
  knows(id: string): boolean;
  /** Marks a reply as ended, if it is an announcement. */
  end(id: string): void;
}

/** Remembers the newest announcements of one session. */
export function createAnnouncements(): Announcements {
  const known = new Map<string, { readonly rank: number; ended: boolean }>();
  return {
    rank(id, seq) {
      let announcement = known.get(id);
      if (!announcement) {
        const oldest = known.keys().next();
        if (known.size >= fixedLimits.knownAnnouncements && !oldest.done) known.delete(oldest.value);
        announcement = { rank: seq + 0.5, ended: false };
        known.set(id, announcement);
      }
      return announcement.ended ? undefined : announcement.rank;
    },
    knows: (id) => known.has(id),
    end(id) {
      const announcement = known.get(id);
      if (announcement) announcement.ended = true;
    },
  };
}
