import { serveWorker } from "@voxbus/workers";
import { createListening, type EndOfSpeech, type Found, type Listened } from "./audio-front-end.ts";

/** What passes between asr and its listening threads: one task is one listen. */
export interface ListeningContract {
  readonly data: null;
  readonly request: EndOfSpeech;
  readonly input: Listened;
  /** All that was found in one packet or flush. */
  readonly result: readonly Found[];
}

await serveWorker<ListeningContract>(
  () =>
    async function* listen(request, { input }) {
      const listening = createListening(request);
      try {
        for await (const heard of input) {
          const found = listening.write(heard);
          if (found.length > 0) yield found;
        }
      } finally {
        listening.close();
      }
    },
);
