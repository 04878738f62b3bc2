import type { Say } from "@voxbus/protocol";
import { cutText, isOld, type Result } from "./waiting.ts";

/** The most replies of one program whose end has not come. */
const maxOpen = 2000;

/** Collects the sentences of one program's replies, and gives each whole reply once. Announcements are left out. */
export function createReplies() {
  const open = new Map<string, { readonly at: number; text: string }>();
  return {
    /** Adds a sentence. Gives the reply if it is whole. */
    add({ session, origin, reply, text, last }: Say): Result | undefined {
      if (session === undefined || origin === undefined) return undefined;
      const one = open.get(reply) ?? { at: performance.now(), text: "" };
      one.text = cutText(`${one.text} ${text}`);
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
