/** Which announcements a session knows: each is stamped once, and one that ended stays dead. */
export interface Stamps {
  /** The rank of an announcement, stamped at its first frame as caused after everything up to `seq`; undefined once it ended. */
  rank(id: string, seq: number): number | undefined;
  end(id: string): void;
}

const most = 32;

/** Remembers the newest 32 announcements of one session. */
export function createStamps(): Stamps {
  const stamps = new Map<string, { readonly rank: number; ended: boolean }>();
  return {
    rank(id, seq) {
      let stamp = stamps.get(id);
      if (!stamp) {
        const oldest = stamps.keys().next();
        if (stamps.size >= most && !oldest.done) stamps.delete(oldest.value);
        stamp = { rank: seq + 0.5, ended: false };
        stamps.set(id, stamp);
      }
      return stamp.ended ? undefined : stamp.rank;
    },
    end(id) {
      const stamp = stamps.get(id);
      if (stamp) stamp.ended = true;
    },
  };
}
