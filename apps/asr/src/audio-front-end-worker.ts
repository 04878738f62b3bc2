import { readClock, serveWorker, watchLateness } from "@voxbus/workers";
import { createAudioFrontEnd, type EndOfSpeech, type FrontEndEvent, type FrontEndInput } from "./audio-front-end.ts";

/** The contract between asr and its front-end threads. One task is one listen. */
export interface AudioFrontEndContract {
  readonly data: null;
  readonly request: EndOfSpeech;
  readonly input: FrontEndInput;
  /** All events of one packet or flush. */
  readonly result: readonly FrontEndEvent[];
}

/** A packet that waited longer for its thread is late, ms. */
const lateMs = 100;
const latenessMs = 2000;

await serveWorker<AudioFrontEndContract>(
  () => {
    const isBehind = watchLateness(latenessMs);
    return async function* listen(request, { input }) {
      const frontEnd = createAudioFrontEnd(request);
      try {
        for await (const piece of input) {
          const now = readClock();
          const events = frontEnd.write(piece);
          if (piece.type === "packet" && isBehind(now - (piece.sentAt ?? now) > lateMs, now))
            events.push({ type: "behind" });
          if (events.length > 0) yield events;
        }
      } finally {
        frontEnd.close();
      }
    };
  },
  { transfer: (events) => events.flatMap((event) => (event.type === "speech" ? [event.samples.buffer] : [])) },
);
