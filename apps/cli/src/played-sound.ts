import type { OutAudio, TurnPlayed } from "@voxbus/protocol";

const maxReplies = 64;
/** The most frames that are kept of one reply: 20 minutes of 60 ms each. */
const maxFrames = 20_000;

/** The frames of one reply by sentence and number. */
type Frames = Map<string, { readonly place: readonly [sentence: number, n: number]; readonly packet: Uint8Array }>;

/**
 * Finds out which sound a device has played. Programs send a reply faster than it is played, and the user may interrupt it,
 * so its frames are kept until the gateway tells how far it came.
 */
export interface PlayedSound {
  /** Takes a frame. Returns it if it is live audio, which is played at once. */
  add(frame: OutAudio): readonly Uint8Array[];
  /** Takes the end of a turn or announcement. Returns its packets that were played, in order. */
  end(turn: TurnPlayed): readonly Uint8Array[];
  /** Frames that were given up, because a reply was too long or there were more than 64. */
  dropped(): number;
}

/** Creates the memory of the replies to one device. */
export function createPlayedSound(): PlayedSound {
  const replies = new Map<string, Frames>();
  let dropped = 0;

  function framesOf(reply: string): Frames {
    const known = replies.get(reply);
    if (known !== undefined) return known;
    const oldest = replies.size >= maxReplies ? replies.keys().next().value : undefined;
    if (oldest !== undefined) {
      dropped += replies.get(oldest)?.size ?? 0;
      replies.delete(oldest);
    }
    const frames: Frames = new Map();
    replies.set(reply, frames);
    return frames;
  }
  return {
    add({ reply, sentence = 0, n, body }) {
      if (n === undefined || reply === undefined) return [body];
      const frames = framesOf(reply);
      const name = `${sentence}.${n}`;
      // A frame that comes again, from the same worker or its successor, is not played again.
      if (frames.has(name)) return [];
      if (frames.size >= maxFrames) dropped += 1;
      else frames.set(name, { place: [sentence, n], packet: Uint8Array.from(body) });
      return [];
    },
    end({ reply, played }) {
      const frames = reply === undefined ? undefined : replies.get(reply);
      if (reply === undefined || frames === undefined) return [];
      replies.delete(reply);
      if (played === undefined) return [];
      return [...frames.values()]
        .filter(({ place }) => compare(place, played) <= 0)
        .toSorted((one, other) => compare(one.place, other.place))
        .map(({ packet }) => packet);
    },
    dropped: () => dropped,
  };
}

function compare([sentence, n]: readonly [number, number], [otherSentence, otherN]: readonly [number, number]): number {
  return sentence - otherSentence || n - otherN;
}
