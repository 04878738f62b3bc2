const quietMs = 500;
const maxQuietMs = 4000;

/** Watches a followed session for silence. */
export interface Silence {
  /** A frame came live. */
  heard(): void;
  /** The gateway answered, or could not be asked. */
  answered(): void;
  /** An answer brought missing frames. */
  progressed(): void;
  stop(): void;
}

/** Options of a silence watch. */
interface SilenceOptions {
  readonly goneMs: number;
  readonly connected: () => boolean;
  /** Called after 500 ms without a frame, then after pauses that double up to 4 s. */
  readonly quiet: () => void;
  /** Called once, after `goneMs` without a frame or an answer while connected. */
  readonly gone: () => void;
}

/** Starts to watch for silence. */
export function watchSilence({ goneMs, connected, quiet, gone }: SilenceOptions): Silence {
  let heardAt = performance.now();
  let answeredAt = heardAt;
  /** When a frame last came, or `quiet` was last called. */
  let quietAt = heardAt;
  let pauseMs = quietMs;

  const check = (): void => {
    const now = performance.now();
    if (!connected()) {
      answeredAt = now; // the gateway cannot be blamed
    } else if (now - Math.max(heardAt, answeredAt) >= goneMs) {
      gone();
      return;
    } else if (now - quietAt >= pauseMs) {
      quietAt = now;
      pauseMs = Math.min(pauseMs * 2, maxQuietMs);
      quiet();
    }
    timer = setTimeout(check, Math.max(1, quietAt + pauseMs - now));
  };
  let timer = setTimeout(check, quietMs);

  return {
    heard: () => {
      heardAt = performance.now();
      quietAt = heardAt;
      pauseMs = quietMs;
    },
    answered: () => void (answeredAt = performance.now()),
    progressed: () => void (pauseMs = quietMs),
    stop: () => clearTimeout(timer),
  };
}
