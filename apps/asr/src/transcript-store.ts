import { ConflictError, retryConflicts, type Bus, type Trace } from "@voxbus/bus";
import { channels, type Heard } from "@voxbus/protocol";

/** A final transcript, before it gets its session and number. */
export type FinalTranscript = Omit<Heard, "session" | "utterance">;

/** The final transcripts of one session. They are stored in order, and each of them once, by one or by several workers. */
export interface TranscriptStore {
  /** The newest transcript of the session. */
  readonly last: Heard | undefined;
  /** The number of the next utterance. */
  readonly next: number;
  /**
   * Stores a transcript. Resolves with false if another worker stored this speech, or later speech of the session: the
   * listen is in its hands then. Throws BusAwayError, or ConflictError if other transcripts kept coming first.
   */
  store(transcript: FinalTranscript, trace: Trace, signal?: AbortSignal): Promise<boolean>;
}

/** Opens the store of a session and reads its newest transcript. Throws BusAwayError. */
export async function openTranscriptStore(
  { bus, device, session }: { readonly bus: Bus; readonly device: string; readonly session: string },
  signal?: AbortSignal,
): Promise<TranscriptStore> {
  const channel = channels.heard(device);
  let expected = 0;
  let last: Heard | undefined;

  async function read() {
    const { message, newest } = await bus.lastStored(channel, signal);
    expected = newest;
    if (message?.session === session) last = message;
  }
  const next = () => (last?.utterance ?? 0) + 1;

  await read();
  return {
    get last() {
      return last;
    },
    get next() {
      return next();
    },
    store: (transcript, trace, signal) =>
      retryConflicts(async () => {
        const id = `heard:${session}:${transcript.origin}`;
        const heard: Heard = { ...transcript, session, utterance: next() };
        try {
          const stored = await bus.store(channel, heard, { id, expected, trace }, signal);
          expected = stored.seq;
          last = heard;
          return true;
        } catch (error) {
          if (!(error instanceof ConflictError)) throw error;
          // Usually an earlier utterance of the session took longer to recognize. This one comes after it.
          await read();
          if (last !== undefined && last.origin >= transcript.from) return false;
          throw error;
        }
      }, signal),
  };
}
