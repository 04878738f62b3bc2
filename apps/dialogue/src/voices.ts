import type { Bus, Closer } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";

/** The tts processes, as their reports show them. */
export interface Voices extends Closer {
  /** Gives the replies that all of them can take now, or undefined if no living one tells. */
  spare(): number | undefined;
}

/** A process whose last report is older does not live, ms. Reports come every 5 s. */
const livesMs = 15_000;

/** Watches the reports of the tts processes. `onReport` is called after each one. */
export function watchVoices(bus: Pick<Bus, "subscribe">, onReport: () => void): Voices {
  const known = new Map<string, { readonly spare: number; readonly at: number }>();
  const subscription = bus.subscribe(channels.stats("tts"), ({ instance, state, gauges }) => {
    const spare = gauges["spare"];
    if (state !== "running" || spare === undefined) known.delete(instance);
    else known.set(instance, { spare, at: performance.now() });
    onReport();
  });
  return {
    spare() {
      const oldest = performance.now() - livesMs;
      for (const [instance, { at }] of known) if (at < oldest) known.delete(instance);
      if (known.size === 0) return undefined;
      return [...known.values()].reduce((sum, { spare }) => sum + spare, 0);
    },
    close: () => subscription.close(),
  };
}
