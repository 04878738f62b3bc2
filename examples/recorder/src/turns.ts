import type { Event, Heard, InText, Say } from "@voxbus/subscriber";
import type { Span } from "./spans.ts";

/** The most characters of a question, and of an answer, that are kept. */
const maxText = 10_000;
/** Turns without an end that go on in the next file. */
const maxUnended = 20;

/** One turn, or an announcement, as it stands in a file of turns. */
export interface Turn {
  readonly session?: string;
  /** Absent for an announcement. */
  readonly origin?: number;
  readonly reply?: string;
  /** When the question or the announcement came, as an ISO time. */
  readonly at: string;
  readonly kind: "spoken" | "typed" | "announcement";
  /** The question; empty if it was not understood. */
  readonly text?: string;
  readonly language?: string;
  /** Why the question is empty. */
  readonly unheard?: string;
  /** Where the question is in the recordings. */
  readonly audio?: readonly Span[];
  readonly answer?: string;
  /** How it ended: an outcome of docs/bus.md. Absent until then. */
  readonly outcome?: string;
  /** ms from the question's end to the first sound of the answer. */
  readonly firstAudioMs?: number;
}

interface OpenTurn {
  turn: Turn;
  readonly sentences: Map<number, { readonly attempt: number; readonly text: string }>;
}

/** Puts the messages of one session together to turns, in order of their beginning. */
export interface Turns {
  heard(heard: Heard, audio: readonly Span[]): void;
  typed(frame: InText): void;
  said(say: Say): void;
  ended(turn: NonNullable<Event["turn"]>): void;
  /** The turns so far. */
  list(): readonly Turn[];
  /** Removes and returns the turns that have ended, and of all others those before the newest 20, whose end was missed. */
  takeEnded(): readonly Turn[];
}

/** Creates an empty list. */
export function createTurns(now: () => number): Turns {
  const open = new Map<string, OpenTurn>();
  const keyOf = (origin: number | undefined, reply: string | undefined) =>
    origin === undefined ? `reply ${reply}` : `origin ${origin}`;

  function update(key: string, fallback: Turn["kind"], fields: Partial<Turn>): OpenTurn {
    const known = open.get(key) ?? { turn: { at: isoTime(now()), kind: fallback }, sentences: new Map() };
    known.turn = { ...known.turn, ...fields };
    open.set(key, known);
    return known;
  }
  return {
    heard({ session, origin, text, language, reason }, audio) {
      const fields = { session, origin, kind: "spoken", text: text.slice(0, maxText), language, audio } as const;
      update(keyOf(origin, undefined), "spoken", { ...fields, ...(reason !== undefined && { unheard: reason }) });
    },
    typed({ session, seq, at, body }) {
      const fields = { session, origin: seq, kind: "typed", at: isoTime(at), text: body.slice(0, maxText) } as const;
      update(keyOf(seq, undefined), "typed", fields);
    },
    said({ session, origin, reply, attempt, sentence, text }) {
      const isOwn = origin !== undefined;
      const known = update(keyOf(origin, reply), isOwn ? "spoken" : "announcement", {
        reply,
        ...(isOwn && { session, origin }),
      });
      // Another delivery of the work may write the answer again, in other words.
      if ((known.sentences.get(sentence)?.attempt ?? 0) <= attempt) known.sentences.set(sentence, { attempt, text });
      known.turn = { ...known.turn, answer: joinSentences(known.sentences) };
    },
    ended({ origin, reply, complete, reason, firstAudio }) {
      update(keyOf(origin, reply), origin === undefined ? "announcement" : "spoken", {
        ...(origin !== undefined && { origin }),
        ...(reply !== undefined && { reply }),
        outcome: reason ?? (complete ? "played" : "failed"),
        ...(firstAudio !== undefined && { firstAudioMs: Math.round(firstAudio) }),
      });
    },
    list: () => [...open.values()].map(({ turn }) => turn),
    takeEnded() {
      const isEnded = ({ turn }: OpenTurn) => turn.outcome !== undefined || turn.unheard !== undefined;
      const all = [...open];
      const ended = all.filter(([, one], index) => isEnded(one) || index < all.length - maxUnended);
      for (const [key] of ended) open.delete(key);
      return ended.map(([, { turn }]) => turn);
    },
  };
}

function joinSentences(sentences: OpenTurn["sentences"]): string {
  const newest = Math.max(...[...sentences.values()].map(({ attempt }) => attempt));
  const kept = [...sentences].filter(([, { attempt }]) => attempt === newest).toSorted(([a], [b]) => a - b);
  return kept
    .map(([, { text }]) => text)
    .filter((text) => text !== "")
    .join(" ")
    .slice(0, maxText);
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
