import type { Bus, Closer } from "@voxbus/bus";
import { channels, stored, type Say } from "@voxbus/protocol";

/** The sentences of a device's replies. */
export interface Said extends Closer {
  /** Returns the sentences that the device may have been speaking since a time (performance.now, ms). */
  since(at: number): readonly string[];
}

interface Sentence {
  readonly reply: string;
  readonly origin: number;
  readonly text: string;
  /** The time at which its reply ended, ms; at the latest, if nothing is heard of its end. */
  until: number;
}

const mostSentences = 200;
const longestReplyMs = 300_000;

/** Follows the replies to the device of a session, until it is closed. */
export function followSaid(bus: Bus, { device, session }: { readonly device: string; readonly session: string }): Said {
  let sentences: Sentence[] = [];
  /** The newest origin whose turn has ended, and with it all turns before. */
  let ended = 0;
  const take = ({ reply, origin = Infinity, text, keepMs }: Say) => {
    // What is kept for a device is said again when it is told.
    if (origin <= ended || keepMs !== undefined) return;
    sentences.push({ reply, origin, text, until: performance.now() + longestReplyMs });
    if (sentences.length > mostSentences) sentences.shift();
  };
  const closers = [
    bus.subscribe(stored(channels.sayOpen(device)), take),
    bus.subscribe(stored(channels.say(device)), take),
    bus.subscribe(channels.event(device), ({ session: from, turn }) => {
      if (from !== session || turn === undefined) return;
      const now = performance.now();
      // A turn that ended before the first frame of its reply does not name it.
      ended = Math.max(ended, turn.origin ?? 0);
      for (const sentence of sentences)
        if (sentence.reply === turn.reply || sentence.origin <= ended) sentence.until = Math.min(sentence.until, now);
    }),
  ];
  return {
    since(at) {
      sentences = sentences.filter(({ until }) => until >= at);
      return sentences.map(({ text }) => text);
    },
    close() {
      for (const closer of closers) closer.close();
    },
  };
}
