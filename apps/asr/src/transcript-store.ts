import { ConflictError, type Bus } from "@voxbus/bus";
import { channels, Heard } from "@voxbus/protocol";

/** A final transcript as a listen knows it. */
export type Final = Omit<Heard, "v" | "session" | "utterance">;

/** The final transcripts of one session, stored in order and each once, whoever stores them. */
export interface Finals {
  /** The newest one of this session. */
  readonly last: Heard | undefined;
  /** The number that the next utterance will have. */
  readonly next: number;
  /**
   * Stores a final. Resolves with false when somebody else stored this speech, or later speech of the session, before:
   * then the listen is in other hands. Throws BusAwayError.
   */
  store(final: Final, trace: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<boolean>;
}

/** Reads what was stored for the session; throws BusAwayError. */
export async function readFinals(
  { bus, device, session }: { readonly bus: Bus; readonly device: string; readonly session: string },
  signal?: AbortSignal,
): Promise<Finals> {
  const channel = channels.heard(device);
  let expected = 0;
  let last: Heard | undefined;

  async function read() {
    const stored = await bus.lastStored(channel, signal);
    expected = stored?.seq ?? 0;
    if (stored?.message.session === session) last = stored.message;
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
    async store(final, trace, signal) {
      const id = `heard:${session}:${final.origin}`;
      for (;;) {
        const heard: Heard = { ...final, session, utterance: next() };
        try {
          const stored = await bus.store(channel, heard, { id, expected, trace }, signal);
          expected = stored.seq;
          last = heard;
          return true;
        } catch (error) {
          if (!(error instanceof ConflictError)) throw error;
          // Most often an earlier utterance of the session whose transcript took longer: mine comes after it.
          await read();
          if (last !== undefined && last.origin >= final.from) return false;
        }
      }
    },
  };
}
