import { ConflictError, retryConflicts, type Bus } from "@voxbus/bus";
import { channels, type Say } from "@voxbus/protocol";
import type { TurnId } from "./turn-id.ts";

/** Another worker writes this reply, or a newer reply of the session answers the turn too. The writer must stop. */
export class LostReplyError extends Error {
  override readonly name = "LostReplyError";
}

/** The properties of a sentence other than its text. */
export type SentenceOptions = Pick<Say, "last" | "language" | "emotion" | "outcome" | "engine">;

/** One delivery of a turn to a worker. */
export interface ReplyDelivery {
  /** The number of the delivery, from 1. */
  readonly attempt: number;
  /** The time from which on older replies of the session matter, by the clock of NATS, ms since the epoch. */
  readonly since: number;
  /** The trace headers that sentences are stored with. */
  readonly trace?: Readonly<Record<string, string>>;
}

/** Writes one reply. Each sentence is stored by compare-and-set, so that of two writers one stops. */
export interface ReplyWriter {
  /** The sentences with words that were stored before this writer started. */
  readonly sentences: readonly string[];
  /** True if the last sentence was stored before this writer started. */
  readonly ended: boolean;
  /** True if a newer reply of the session exists, and nothing of this one. */
  readonly superseded: boolean;
  /** The origin of the session's newest reply before this one; 0 without one. */
  readonly answered: number;
  /** Stores the next sentence. An empty last one only marks the end. Throws LostReplyError. */
  write(text: string, options: SentenceOptions): Promise<void>;
}

const openingsRead = 64;
const sentencesRead = 1024;

/** Reads the stored part of a reply, and continues after its last sentence. */
export async function openReplyWriter(
  bus: Bus,
  turn: TurnId,
  { attempt, since, trace }: ReplyDelivery,
  signal: AbortSignal,
): Promise<ReplyWriter> {
  const { device, session, origin } = turn;
  const reply = `${session}:${origin}`;
  const stored = await readReply(bus, turn, since, signal);
  let sentence = stored.sentences.length;
  let { expectedOpen, expectedSay } = stored;

  return {
    sentences: stored.sentences.flatMap(({ text }) => (text === "" ? [] : text)),
    ended: stored.sentences.some(({ last }) => last),
    superseded: stored.superseded,
    answered: stored.answered,
    write: (text, options) =>
      retryConflicts(async () => {
        const say: Say = { session, origin, reply, attempt, sentence, text, ...options };
        const opens = sentence === 0;
        try {
          const expected = opens ? expectedOpen : expectedSay;
          const subject = opens ? channels.sayOpen(device) : channels.say(device);
          // There is no message id: two writers with the same id would both be told that their sentence is stored.
          const { seq } = await bus.store(subject, say, { expected, ...(trace && { trace }) }, signal);
          if (!opens) expectedSay = seq;
          sentence += 1;
        } catch (error) {
          if (!(error instanceof ConflictError)) throw error;
          const now = await readReply(bus, turn, since, signal);
          if (now.sentences.length !== sentence || now.superseded) {
            throw new LostReplyError(`another worker writes the reply ${reply}`, { cause: error });
          }
          ({ expectedOpen, expectedSay } = now);
          throw error;
        }
      }, signal),
  };
}

/** Reads the stored part of a reply, and the sequences that its next sentence must follow. */
async function readReply(bus: Bus, { device, session, origin }: TurnId, since: number, signal: AbortSignal) {
  const from = { time: since };
  const reply = `${session}:${origin}`;
  // Until the first sentence is stored, no writer has stored a second one. So `lastSay` is what the second one must
  // follow. Read any later, it could be a rival's second sentence.
  const [openings, lastSay] = await Promise.all([
    bus.stored(channels.sayOpen(device), { limit: openingsRead, from }, signal),
    bus.lastStored(channels.say(device), signal),
  ]);
  const opening = openings.messages.find((say) => say.reply === reply);
  const others = openings.messages.flatMap((say) =>
    say.session === session && say.origin !== undefined && say.origin !== origin ? [say.origin] : [],
  );
  const says =
    opening === undefined ? undefined : await bus.stored(channels.say(device), { limit: sentencesRead, from }, signal);
  const rest = says?.messages.filter((say) => say.reply === reply) ?? [];
  return {
    sentences: opening === undefined ? [] : [opening, ...rest],
    superseded: opening === undefined && others.some((other) => other > origin),
    answered: Math.max(0, ...others.filter((other) => other < origin)),
    expectedOpen: openings.newest,
    expectedSay: (says ?? lastSay).newest,
  };
}
