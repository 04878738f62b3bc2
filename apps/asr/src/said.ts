import type { Bus, Closer } from "@voxbus/bus";
import { channels, stored, type Say } from "@voxbus/protocol";

/** The sentences of a device's replies. */
export interface Said extends Closer {
  /** Returns the sentences that the device may have been speaking since a time (performance.now, ms). */
  since(at: number): readonly string[];
}

interface Sentence {
  readonly reply: string;
  readonly text: string;
  /** The time at which its reply ended, ms; at the latest, if nothing is heard of its end. */
  until: number;
}

const mostSentences = 200;
const longestReplyMs = 300_000;

/** Follows the replies of a device, until it is closed. */
export function followSaid(bus: Bus, device: string): Said {
  let sentences: Sentence[] = [];
  const take = ({ reply, text }: Say) => {
    sentences.push({ reply, text, until: performance.now() + longestReplyMs });
    if (sentences.length > mostSentences) sentences.shift();
  };
  const closers = [
    bus.subscribe(stored(channels.sayOpen(device)), take),
    bus.subscribe(stored(channels.say(device)), take),
    bus.subscribe(channels.event(device), ({ turn }) => {
      for (const sentence of sentences) if (sentence.reply === turn?.reply) sentence.until = performance.now();
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
