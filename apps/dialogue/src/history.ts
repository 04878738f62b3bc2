import { StorageFullError, type Bus } from "@voxbus/bus";
import { buckets, type Dialogue, type DialogueTurn } from "@voxbus/protocol";
import type { Message } from "./engines/engine.ts";

const maxTurns = 50;
const maxBytes = 32_768;
const maxTextLength = 2048;
const maxCalls = 6;
const maxCallText = 1024;
const maxArgs = 512;
/** The text of a call whose result did not come before the end of its turn. */
export const lateResult = "The call was made. Its result did not come in time.";
/** Tokens of a message beside its text. */
const messageTokens = 4;

/** The part of a turn that one process knows. The same turn may be added in parts, in any order. */
export type TurnPart = Pick<DialogueTurn, "session" | "origin"> & Partial<DialogueTurn>;

/** The dialogue with each device, as its user heard it, kept in the bucket `dialogues`. */
export interface History {
  /**
   * Gives the newest messages that fit into the limit of tokens, oldest first. A turn is given whole, or not at all. Of the
   * session of `before`, those from this turn on are left out.
   */
  read(device: string, before?: Pick<DialogueTurn, "session" | "origin">): Promise<readonly Message[]>;
  /**
   * Adds a part of a turn, also while other workers add. The oldest turns are dropped until at most 50, and 32 KiB of JSON,
   * are left. Longer texts are cut. The part is forgotten if the bucket is full.
   */
  add(device: string, part: TurnPart): Promise<void>;
}

/** Creates the history. `tokens` is the estimated size of what a reader gets. */
export function createHistory(bus: Bus, tokens = 2000): History {
  const bucket = bus.bucket(buckets.dialogues);
  return {
    async read(device, before) {
      const { messages = [], turns = [] } = (await bucket.get(device))?.value ?? {};
      // Another worker may have answered the turn. So has the real dialogue, if this one is a shadow.
      const isEarlier = ({ session, origin }: DialogueTurn) => session !== before?.session || origin < before.origin;
      return fitTokens(toMessages({ messages, turns: turns.filter(isEarlier) }), tokens);
    },
    async add(device, part) {
      try {
        await bucket.modify(device, (dialogue) => fitBytes(merge(dialogue, part)));
      } catch (error) {
        // The bus has logged it. The answer does not depend on it.
        if (!(error instanceof StorageFullError)) throw error;
      }
    },
  };
}

function merge(dialogue: Dialogue | undefined, part: TurnPart): Dialogue {
  const { messages = [], turns = [] } = dialogue ?? {};
  const index = turns.findIndex(({ session, origin }) => session === part.session && origin === part.origin);
  const known = turns[index];
  // A worker that takes up a turn after its end knows less than the one that answered it.
  const hasNews = part.heard !== undefined || !known?.user;
  const turn = shorten({
    session: part.session,
    origin: part.origin,
    at: known?.at ?? part.at ?? Date.now(),
    user: known?.user || part.user || "",
    calls: mergeCalls(known?.calls, part.calls),
    said: longer(known?.said, part.said),
    heard: known?.heard ?? part.heard,
    engine: known?.engine ?? part.engine,
    end: known?.end ?? (hasNews ? part.end : undefined),
  });
  return { messages, turns: known === undefined ? [...turns, turn] : turns.with(index, turn) };
}

/** Gives the calls that more is known of: a result may come after the turn was added. */
function mergeCalls(known: DialogueTurn["calls"] = [], added: DialogueTurn["calls"] = []): DialogueTurn["calls"] {
  // Only the newest calls were kept.
  const news = added.slice(-maxCalls);
  if (known.length !== news.length) return longer(known, added);
  return known.map((call, at) => (call.text === lateResult ? (news[at] ?? call) : call));
}

function longer<T>(one: readonly T[] = [], other: readonly T[] = []): T[] {
  return [...(one.length >= other.length ? one : other)];
}

/** Cuts long texts, and removes the sentences that were not heard. */
function shorten(turn: DialogueTurn): DialogueTurn {
  let length = 0;
  const fits = (text: string) => (length += text.length) <= maxTextLength;
  const heard = turn.said.slice(0, turn.heard);
  return {
    ...turn,
    user: turn.user.slice(0, maxTextLength),
    said: heard.every((text) => fits(text)) ? heard : cut(heard),
    calls: turn.calls.slice(-maxCalls).map(({ name, args, text }) => ({
      name,
      args: args.length > maxArgs ? "{}" : args,
      text: text.slice(0, maxCallText),
    })),
  };
}

/** Keeps the first sentences that fit, and the beginning of the next one. */
function cut(sentences: readonly string[]): string[] {
  let rest = maxTextLength;
  return sentences.flatMap((text) => {
    const kept = text.slice(0, rest);
    rest -= kept.length;
    return kept === "" ? [] : [kept];
  });
}

/** Drops the oldest entries, whole turns, until the rest fits. */
function fitBytes({ messages, turns }: Dialogue): Dialogue {
  const entries = [...messages, ...turns].slice(-maxTurns);
  const sizes = entries.map((entry) => Buffer.byteLength(JSON.stringify(entry)));
  const first = firstThatFits(sizes, maxBytes);
  const drop = messages.length + turns.length - entries.length + first;
  return { messages: messages.slice(drop), turns: turns.slice(Math.max(0, drop - messages.length)) };
}

/** Gives the index from which on the sizes fit together. */
function firstThatFits(sizes: readonly number[], most: number): number {
  let sum = 0;
  return sizes.findLastIndex((size) => (sum += size) > most) + 1;
}

/** Gives each turn as the messages that belong together. A turn with nothing but its end has none. */
function toMessages({ messages, turns }: Dialogue): (readonly Message[])[] {
  return [
    ...messages.map((message) => [message]),
    ...turns.map(({ at, user, calls, said, end }): Message[] => {
      if (user === "") return [];
      const answer = {
        role: "assistant" as const,
        text: said.filter(Boolean).join(" "),
        at,
        calls,
        ...(end ? { end } : {}),
      };
      return [{ role: "user", text: user, at }, answer];
    }),
  ];
}

function fitTokens(turns: readonly (readonly Message[])[], most: number): readonly Message[] {
  const sizes = turns.map((turn) => turn.reduce((sum, message) => sum + estimateMessage(message), 0));
  const kept = turns.slice(firstThatFits(sizes, most)).flat();
  // A chat that begins with an answer is refused by some models.
  return kept.slice(
    Math.max(
      0,
      kept.findIndex(({ role }) => role === "user"),
    ),
  );
}

function estimateMessage(message: Message): number {
  const calls = message.role === "assistant" ? (message.calls ?? []) : [];
  const texts = [message.text, ...calls.flatMap(({ name, args, text }) => [name, args, text])];
  return texts.reduce((sum, text) => sum + estimateTokens(text) + messageTokens, 0);
}

/** Estimates the tokens of a text: four characters of ASCII, or one of any other script. */
function estimateTokens(text: string): number {
  const others = text.replaceAll(/[\0-\x7f]/g, "").length;
  return Math.ceil((text.length - others) / 4) + others;
}
