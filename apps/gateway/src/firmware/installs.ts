import { fixedLimits } from "../limits.ts";

const day = 86_400_000;

/**
 * Remembers who downloaded an image, so that a device whose version does not change is not sent it again and again. An
 * installer stands for a device with its client id.
 */
export interface Installs {
  /** Counts an image that was downloaded to its end. */
  add(installer: string, image: string): void;
  /** Tells whether an image was downloaded too often in the last day. */
  exhausted(installer: string, image: string): boolean;
}

/** Creates the memory of one gateway. `now` in ms. */
export function createInstalls(now: () => number = () => performance.now()): Installs {
  const known = new Map<string, { readonly image: string; readonly times: readonly number[] }>();
  const timesOf = (installer: string, image: string) => {
    const entry = known.get(installer);
    return entry?.image === image ? entry.times.filter((at) => now() - at < day) : [];
  };
  return {
    add(installer, image) {
      const times = [...timesOf(installer, image), now()].slice(-fixedLimits.installs);
      known.delete(installer);
      known.set(installer, { image, times });
      const [oldest] = known.size > fixedLimits.knownInstalls ? known.keys() : [];
      if (oldest !== undefined) known.delete(oldest);
    },
    exhausted: (installer, image) => timesOf(installer, image).length >= fixedLimits.installs,
  };
}
