import type { RecordedExchange } from "./exchanges.ts";
import type { Exchange } from "./witness.ts";

/** A recorded exchange beside the one that the replay brought. One of them is undefined if it has no counterpart. */
export interface Comparison {
  readonly recorded: RecordedExchange | undefined;
  readonly replayed: Exchange | undefined;
  /** The same was heard and said. What was cut is compared as far as both go. */
  readonly isSame: boolean;
}

/** Compares the exchanges of a device, one by one in their order. */
export function compareExchanges(
  recorded: readonly RecordedExchange[],
  replayed: readonly Exchange[],
): readonly Comparison[] {
  return Array.from({ length: Math.max(recorded.length, replayed.length) }, (_, at) => {
    const [before, now] = [recorded[at], replayed[at]];
    return {
      recorded: before,
      replayed: now,
      isSame: before !== undefined && now !== undefined && areSame(before, now),
    };
  });
}

function areSame(recorded: RecordedExchange, replayed: Exchange): boolean {
  if (recorded.heard !== replayed.heard) return false;
  const [before, now] = [joinWords(recorded.said), joinWords(replayed.said)];
  return recorded.isCut ? before.startsWith(now) || now.startsWith(before) : before === now;
}

/** A device gets long sentences as several subtitles, cut at spaces. */
function joinWords(sentences: readonly string[]): string {
  return sentences.join("").replaceAll(/\s+/g, "");
}
