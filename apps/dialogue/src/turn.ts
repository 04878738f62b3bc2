import type { Bus } from "@voxbus/bus";
import { Heard, InText, subjects, type Presence, type Profile } from "@voxbus/protocol";
import { ModelError, sayAnswer, type Say } from "./answer.ts";
import { apologise } from "./apologies.ts";
import type { LlmEngine, Tool, Turn } from "./engines/engine.ts";
import { FencedError, type Fences } from "./fences.ts";
import type { History } from "./history.ts";
import type { Mcp } from "./mcp.ts";
import type { ReminderBook } from "./reminders.ts";
import { LostReplyError, openReply } from "./reply-writer.ts";
import type { Outcome, Said } from "./turn-input.ts";
import { tellContent } from "./turn-span.ts";

/** What turns are answered with. */
export type Means = {
  readonly bus: Bus;
  readonly fences: Fences;
  readonly history: History;
  readonly mcp: Mcp;
  readonly reminders: ReminderBook;
  readonly engineOf: (profile: Profile) => LlmEngine;
  readonly profileOf: (device: string) => Profile;
  /** The presence of a session that is online; waits a moment for it to appear. */
  readonly presenceOf: (device: string, session: string, signal: AbortSignal) => Promise<Presence | undefined>;
  /** ms that a whole answer may take. */
  readonly turnMs: number;
  /** ms that a turn waits for the device to list its tools. */
  readonly listMs: number;
  /** Told of every failure that is apologised for or that takes the tools away. */
  readonly onFailure: (error: unknown) => void;
  /** Told of the model's first token. */
  readonly onFirstToken?: () => void;
  /** Told of every answer of an engine: how long it took, and whether it failed. */
  readonly onEngine?: (engine: string, ms: number, failed: boolean) => void;
  /** True if traces may hold what was said and answered. */
  readonly traceContent?: boolean;
};

/** The reason to leave a turn to a newer one of its session, which answers both. */
export class SupersededError extends Error {
  override readonly name = "SupersededError";
}

const earlierRead = 64;
// Typed text outlives the replies by hours: what is older than this was answered, or is no longer expected to be.
const earlierMs = 300_000;

/**
 * Answers one turn, and earlier ones of its session that nobody answered, in one reply that is stored sentence by
 * sentence; with an apology when the model fails. `onStart` is called just before the first sentence is stored. Throws
 * BusAwayError, or the reason of `signal` when the claim is lost: another worker then goes on behind what was stored.
 */
export async function takeTurn(said: Said, means: Means, onStart: () => void, signal: AbortSignal): Promise<Outcome> {
  const { device, session, origin } = said;
  const fence = means.fences.watch(session, origin);
  const alive = AbortSignal.any([signal, fence.signal]);
  try {
    alive.throwIfAborted();
    const presence = await means.presenceOf(device, session, alive);
    if (presence === undefined) return "offline";
    const profile = means.profileOf(device);
    const language = said.language ?? languageOf(said.text, profile.language);
    const [reply, earlier, history, list] = await Promise.all([
      openReply(means.bus, said, alive),
      readEarlier(means.bus, said, alive),
      means.history.read(device),
      presence.features["mcp"] === true ? listTools(said, means) : [],
    ]);
    if (reply.ended) return "done before";
    if (reply.superseded) return "superseded";
    const answered = Math.max(reply.answered, means.fences.of(session));
    const texts = [...earlier.filter((one) => one.origin > answered), said].map((one) => one.text);
    const text = texts.filter((text) => text !== "").join("\n");

    const spoken = [...reply.said];
    const say: Say = async (sentence, how) => {
      alive.throwIfAborted();
      onStart();
      await reply.add(sentence, how);
      if (sentence !== "") spoken.push(sentence);
    };
    const turn: Turn = {
      text,
      reason: said.reason,
      language,
      history,
      profile,
      features: presence.features,
      tools: means.mcp.toolsOf(said, list),
      reminders: means.reminders.of(said),
      said: spoken.join(" "),
    };
    let outcome: Outcome = "answered";
    try {
      if (said.final) throw new ModelError("every worker that had this turn failed");
      await sayAnswer(means.engineOf(profile), turn, { ...means, say }, alive);
    } catch (error) {
      if (!(error instanceof ModelError) || alive.aborted) throw error;
      means.onFailure(error);
      const apology = apologise(spoken.length === 0 ? "failed" : "interrupted", language);
      await say(apology, { language, emotion: "sad", last: true });
      outcome = "apologised";
    } finally {
      if (means.traceContent === true) tellContent(text, spoken.join(" "));
      const lost = alive.aborted && !fence.signal.aborted;
      if (spoken.length > 0 && !lost) await remember(means.history, device, text, spoken.join(" "));
    }
    alive.throwIfAborted();
    return outcome;
  } catch (error) {
    if (alive.reason instanceof FencedError) return "fenced";
    if (alive.reason instanceof SupersededError || error instanceof LostReplyError) return "superseded";
    throw error;
  } finally {
    fence.close();
  }
}

async function remember(history: History, device: string, heard: string, said: string): Promise<void> {
  const at = Date.now();
  const user = heard === "" ? [] : [{ role: "user" as const, text: heard, at }];
  await history.append(device, [...user, { role: "assistant", text: said, at }]);
}

/** What was said earlier in the session, spoken and typed, in order. */
async function readEarlier(bus: Bus, { device, session, origin }: Said, signal: AbortSignal) {
  const [heard, typed] = await Promise.all([
    bus.stored(subjects.heard(device), Heard, earlierRead, signal),
    bus.stored(subjects.in(device, "text"), InText, earlierRead, signal),
  ]);
  return [
    ...heard.map(({ message }) => ({ session: message.session, origin: message.origin, text: message.text })),
    ...typed.flatMap(({ message: { session, seq, body, at } }) =>
      at > Date.now() - earlierMs ? [{ session, origin: seq, text: body }] : [],
    ),
  ]
    .filter((one) => one.session === session && one.origin < origin)
    .sort((a, b) => a.origin - b.origin);
}

/** The device's tools, or none when it takes too long to name them: the turn does not wait for them. */
async function listTools({ device, session }: Said, { mcp, listMs, onFailure }: Means): Promise<readonly Tool[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly Tool[]>((resolve) => {
    timer = setTimeout(() => resolve([]), listMs);
  });
  const listed = mcp.list(device, session).catch((error: unknown) => {
    onFailure(error);
    return [];
  });
  try {
    return await Promise.race([listed, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The language that typed text is in, as far as its script tells. */
function languageOf(text: string, usual: string): string {
  if (/^(?:zh|ja|ko)\b/i.test(usual)) return usual;
  return /\p{Script=Han}/u.test(text) ? "zh" : usual;
}
