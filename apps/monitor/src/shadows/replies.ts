import type { Say } from "@voxbus/protocol";
import { cutText, isOld, type Result } from "./waiting.ts";

/** The most replies of one program whose end has not come. */
const maxOpen = 2000;

interface OpenReply {
  readonly at: number;
  readonly isAnswer: boolean;
  text: string;
}

/**
 * Collects the sentences of one program's replies, and gives each whole reply once. Announcements are left out. So is a notice
 * of dialogue that a turn takes long, which no engine wrote.
 */
export function createReplies() {
  const open = new Map<string, OpenReply>();
  return {
    /** Adds a sentence. Gives the reply if it is whole. */
    add({ session, origin, reply, text, last, engine, outcome }: Say): Result | undefined {
      if (session === undefined || origin === undefined) return undefined;
      const isAnswer = engine !== undefined || outcome !== undefined;
      let one = open.get(reply);
      // Where the answer has an engine, what came before it was a notice.
      if (one === undefined || (isAnswer && !one.isAnswer)) one = { at: performance.now(), isAnswer, text: "" };
      if (isAnswer || !one.isAnswer) one.text = cutText(`${one.text} ${text}`);
      open.set(reply, one);
      if (open.size > maxOpen) open.delete(open.keys().next().value!);
      if (!last) return undefined;
      open.delete(reply);
      return { place: `${session} ${origin}`, text: one.text, at: one.at };
    },
    sweep(now: number): void {
      for (const [reply, one] of open) if (isOld(one, now)) open.delete(reply);
    },
  };
}
