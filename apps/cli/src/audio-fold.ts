import { describeFields } from "./describe.ts";
import { createFold } from "./fold.ts";
import { turnOf, type AnyMessage } from "./turn.ts";

/** Where and when the first packet arrived. */
interface Place {
  readonly at: number;
  readonly subject: string;
}

/** An audio frame from or for a device. */
interface AudioFrame extends AnyMessage {
  readonly body: Uint8Array;
  readonly session?: string;
  readonly origin?: number;
  readonly reply?: string;
  readonly seq?: number;
  readonly sentence?: number;
  readonly n?: number;
  readonly duration?: number;
}

/** The packets of one stream of audio within a second. */
interface Packets {
  readonly place: Place;
  readonly first: AudioFrame;
  readonly last: AudioFrame;
  readonly packets: number;
  readonly bytes: number;
  /** ms; 0 where packets do not tell. */
  readonly duration: number;
}

/**
 * Folds audio to one line a second for each stream: a session's microphone, or one reply. `show` gets the sums as fields
 * and as text.
 */
export function createAudioFold(show: (place: Place, audio: AnyMessage, text: string) => void) {
  const fold = createFold<{ readonly place: Place; readonly frame: AudioFrame }, Packets>(
    (sum, { place, frame }) => ({
      place: sum?.place ?? place,
      first: sum?.first ?? frame,
      last: frame,
      packets: (sum?.packets ?? 0) + 1,
      bytes: (sum?.bytes ?? 0) + frame.body.byteLength,
      duration: (sum?.duration ?? 0) + (frame.duration ?? 0),
    }),
    (_key, { place, first, last, packets, bytes, duration }) => {
      const [from, to] = [nameFrame(first), nameFrame(last)];
      const { origin, reply, session } = first;
      const known = { duration: duration || undefined, from, to, origin, reply, session };
      const rest = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
      const text = [`audio ${packets} packets ${bytes} bytes`, ...describeFields(Object.entries(rest))].join(" ");
      show(place, { packets, bytes, ...rest }, text);
    },
  );
  return {
    add: (place: Place, message: AnyMessage) => {
      const frame = message as AudioFrame;
      fold.add(`${place.subject} ${frame.session ?? ""} ${turnOf(frame)?.key ?? ""}`, { place, frame });
    },
    flush: fold.flush,
  };
}

/** Names a frame: its seq, or its sentence and number. Live audio for a device has no name. */
function nameFrame({ seq, sentence, n }: AudioFrame): number | string | undefined {
  return seq ?? (n === undefined ? undefined : `${sentence ?? 0}.${n}`);
}
