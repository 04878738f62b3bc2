import type { Say } from "@voxbus/protocol";
import type { Moment } from "../recording/moments.ts";
import { maxExchanges, type Exchange } from "./witness.ts";

/** An exchange of a recording. */
export interface RecordedExchange extends Exchange {
  /** Its answer was not played to its end, so the device did not hear all of `said`. */
  readonly isCut: boolean;
}

interface Draft {
  heard: string;
  /** The sentences by their number. */
  readonly said: Map<number, string>;
  isCut: boolean;
}

/** The room for the texts of a whole recording, in characters. A hostile file could take all memory otherwise. */
export interface TextRoom {
  left: number;
  /** Texts that found no room. */
  refused: number;
}

/** Takes room for a text. Returns false, and counts the text, if there is not enough. */
export function takeRoom(room: TextRoom, text: string): boolean {
  if (text.length > room.left) {
    room.refused += 1;
    return false;
  }
  room.left -= text.length;
  return true;
}

/**
 * Puts the exchanges of one recorded device together, from its transcripts, its typed texts and the sentences of the replies.
 * Announcements are left out: nothing that the device sent caused them, so a replay does not bring them.
 */
export function createExchanges(room: TextRoom) {
  const drafts = new Map<string, Draft>();

  function draftOf(key: string): Draft | undefined {
    const known = drafts.get(key);
    if (known !== undefined || drafts.size >= maxExchanges) return known;
    const draft: Draft = { heard: "", said: new Map(), isCut: false };
    drafts.set(key, draft);
    return draft;
  }
  function hear(key: string, text: string): void {
    const draft = draftOf(key);
    if (draft && takeRoom(room, text)) draft.heard = text;
  }
  function speak({ session, origin, sentence, text }: Say): void {
    if (session === undefined || origin === undefined) return;
    const draft = draftOf(`${session}:${origin}`);
    if (draft && takeRoom(room, text)) draft.said.set(sentence, text);
  }

  return {
    take(moment: Moment): void {
      if (moment.kind === "in" && moment.frame.kind === "text")
        hear(`${moment.frame.session}:${moment.frame.seq}`, moment.frame.body);
      else if (moment.kind === "heard" && moment.heard.reason !== "nothing-heard")
        hear(`${moment.heard.session}:${moment.heard.origin}`, moment.heard.text);
      else if (moment.kind === "say") speak(moment.say);
      else if (moment.kind === "event" && moment.event.turn && !moment.event.turn.complete) {
        const { session, turn } = moment.event;
        const draft = drafts.get(`${session}:${turn.origin}`);
        if (draft) draft.isCut = true;
      }
    },
    /** Lists what was exchanged, in order. */
    list: (): readonly RecordedExchange[] =>
      [...drafts.values()].map(({ heard, said, isCut }) => {
        const texts = [...said].toSorted(([a], [b]) => a - b).map(([, text]) => text);
        return { heard, said: texts.filter((text) => text !== ""), isCut };
      }),
  };
}
