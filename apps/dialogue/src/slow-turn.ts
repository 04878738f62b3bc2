import type { ReplyWriter } from "@voxbus/subscriber";
import type { AnswerOptions } from "./answer.ts";
import type { AnswerRequest } from "./engines/engine.ts";
import { momentIn } from "./moments.ts";
import type { TurnSettings } from "./turn-deps.ts";
import type { TurnRecord } from "./turn-record.ts";

/** A turn as far as it tells that it takes long. */
interface SlowTurn {
  readonly request: AnswerRequest;
  readonly reply: Pick<ReplyWriter, "write" | "sentences">;
  readonly record: Pick<TurnRecord, "said">;
  readonly onStart: () => void;
}

/** Creates the function that says, once in a turn, that the turn takes long. */
export function createMoment({ request, reply, record, onStart }: SlowTurn, alive: AbortSignal): () => Promise<void> {
  let isSaid = reply.sentences.includes("");
  return async () => {
    alive.throwIfAborted();
    if (isSaid) return;
    isSaid = true;
    onStart();
    const { text, language } = momentIn(request.language);
    await reply.write(text, { language, last: false });
    record.said.push("");
  };
}

/** Gives the time at which a turn that has said nothing says that it takes long. */
export function createSilence(
  { reply }: Pick<SlowTurn, "reply">,
  { momentMs }: Pick<TurnSettings, "momentMs">,
  say: () => Promise<void>,
): AnswerOptions["silence"] {
  if (momentMs === 0 || reply.sentences.length > 0) return undefined;
  // From now: it may have waited for its place, and its user was told then.
  return { at: performance.now() + momentMs, end: say };
}

/** Gives a request whose tools tell that they take long: sooner if nothing was said in the turn. */
export function tellSlowTools(
  { request, record }: Pick<SlowTurn, "request" | "record">,
  { momentMs, toolMomentMs }: Pick<TurnSettings, "momentMs" | "toolMomentMs">,
  say: () => Promise<void>,
): AnswerRequest {
  const { tools } = request.device;
  const call: typeof tools.call = async (...args) => {
    const ms = record.said.some(Boolean) ? momentMs : toolMomentMs;
    // If it cannot be said, the next sentence cannot either, and tells why.
    const timer = ms === 0 ? undefined : setTimeout(() => void say().catch(() => undefined), ms);
    try {
      return await tools.call(...args);
    } finally {
      clearTimeout(timer);
    }
  };
  return { ...request, device: { ...request.device, tools: { ...tools, call } } };
}
