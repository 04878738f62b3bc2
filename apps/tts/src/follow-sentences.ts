import { setTimeout as delay } from "node:timers/promises";
import type { Bus } from "@voxbus/bus";
import { channels, Say, stored } from "@voxbus/protocol";

const readAgainMs = 2000;
const mostStored = 1000;

/**
 * Yields a reply's sentences in order, each once, from the opening sentence to the last. They come live, or from the stream
 * if one is missing, where they are read from `openedAt` on, the sequence of the opening sentence. Ends early if no sentence came for `waitMs`. Throws the signal's reason.
 */
export async function* followSentences(
  options: {
    readonly bus: Bus;
    readonly device: string;
    readonly opening: Say;
    readonly openedAt: number;
    readonly waitMs: number;
  },
  signal: AbortSignal,
): AsyncGenerator<Say> {
  const { bus, device, opening, openedAt, waitMs } = options;
  yield opening;
  if (opening.last) return;
  const known = new Map<number, Say>();
  let wake = () => {};
  const take = (say: Say) => {
    if (say.reply !== opening.reply || known.has(say.sentence)) return;
    known.set(say.sentence, say);
    wake();
  };
  const { reconnects } = bus.stats();
  const readStored = async () => {
    // A nats-server that came back without its data counts from 1 again.
    const seq = bus.stats().reconnects === reconnects ? openedAt : 1;
    const { messages } = await bus.stored(channels.say(device), { limit: mostStored, from: { seq } }, signal);
    for (const say of messages) take(say);
  };
  const subscription = bus.subscribe(stored(channels.say(device)), take);
  try {
    await readStored();
    for (let next = opening.sentence + 1; ; next++) {
      for (let waited = 0; !known.has(next); waited += readAgainMs) {
        if (waited >= waitMs) return;
        const woken = new Promise<"woken">((resolve) => (wake = () => resolve("woken")));
        const quiet = new AbortController();
        const pause = delay(readAgainMs, "quiet", { signal: AbortSignal.any([signal, quiet.signal]) });
        const first = await Promise.race([woken, pause]).finally(() => quiet.abort());
        if (first === "quiet") await readStored();
      }
      const say = known.get(next)!;
      yield say;
      if (say.last) return;
    }
  } finally {
    subscription.close();
  }
}
