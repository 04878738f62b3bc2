import { ConflictError, type Bus } from "@voxbus/bus";
import { busVersion, Say, subjects } from "@voxbus/protocol";

/** Somebody else writes this reply, or a newer reply of the session answers the turn too: stop. */
export class LostReplyError extends Error {
  override readonly name = "LostReplyError";
}

/** The turn that a reply answers. */
export type ReplyTurn = {
  readonly device: string;
  readonly session: string;
  readonly origin: number;
  readonly attempt: number;
  readonly trace: Readonly<Record<string, string>>;
};

/** How a sentence is said, beside its text. */
export type SayHow = Pick<Say, "last" | "language" | "emotion">;

/** One reply being written: each sentence by compare-and-set, so that of two writers one stops. */
export interface Reply {
  /** What was stored before this writer came. */
  readonly said: readonly string[];
  /** True when the last sentence is stored. */
  readonly ended: boolean;
  /** True when a newer reply of the session exists, and none of this one. */
  readonly superseded: boolean;
  /** The origin of the newest reply before this one in the session; 0 when there is none. */
  readonly answered: number;
  /** Stores the next sentence; an empty one that is last is the end mark. Throws LostReplyError. */
  add(text: string, how: SayHow): Promise<void>;
}

const openingsRead = 64;
const sentencesRead = 1024;

/** Reads what is stored of a reply and goes on behind its last sentence. */
export async function openReply(bus: Bus, turn: ReplyTurn, signal: AbortSignal): Promise<Reply> {
  const { device, session, origin, attempt, trace } = turn;
  const reply = `${session}:${origin}`;

  const read = async () => {
    // Before the first sentence is stored nobody has stored the second one. So this is what the second one must follow:
    // read any later, it could be a rival's second sentence.
    const [openings, lastSay] = await Promise.all([
      bus.stored(subjects.sayOpen(device), Say, openingsRead, signal),
      bus.lastStored(subjects.say(device), Say, signal),
    ]);
    const opening = openings.find(({ message }) => message.reply === reply)?.message;
    const others = openings.flatMap(({ message }) =>
      message.session === session && message.origin !== undefined && message.origin !== origin ? [message.origin] : [],
    );
    const sayings = opening === undefined ? [] : await bus.stored(subjects.say(device), Say, sentencesRead, signal);
    const rest = sayings.flatMap(({ message }) => (message.reply === reply ? [message] : []));
    return {
      sentences: opening === undefined ? [] : [opening, ...rest],
      superseded: opening === undefined && others.some((other) => other > origin),
      answered: Math.max(0, ...others.filter((other) => other < origin)),
      expectedOpen: openings.at(-1)?.seq ?? 0,
      expectedSay: (sayings.at(-1) ?? lastSay)?.seq ?? 0,
    };
  };

  const first = await read();
  let sentence = first.sentences.length;
  let { expectedOpen, expectedSay } = first;

  return {
    said: first.sentences.map(({ text }) => text).filter((text) => text !== ""),
    ended: first.sentences.some(({ last }) => last),
    superseded: first.superseded,
    answered: first.answered,
    async add(text, { language, emotion, last }) {
      const say: Say = { v: busVersion, session, origin, reply, attempt, sentence, text, emotion, language, last };
      for (;;) {
        const opens = sentence === 0;
        try {
          const expected = opens ? expectedOpen : expectedSay;
          const subject = opens ? subjects.sayOpen(device) : subjects.say(device);
          // Without an id of our own: two writers with the same id would both be told that theirs is stored.
          const { seq } = await bus.store(subject, say, { expected, trace }, signal);
          if (!opens) expectedSay = seq;
          sentence += 1;
          return;
        } catch (error) {
          if (!(error instanceof ConflictError)) throw error;
          const now = await read();
          if (now.sentences.length !== sentence || now.superseded) {
            throw new LostReplyError(`the reply ${reply} is written by somebody else`, { cause: error });
          }
          ({ expectedOpen, expectedSay } = now);
        }
      }
    },
  };
}
