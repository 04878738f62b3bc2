import type { Bus } from "@voxbus/bus";
import { channels, type Presence } from "@voxbus/protocol";
import { describeCause, type ReplyWriter } from "@voxbus/subscriber";
import type { AnswerRequest, LlmEngine, Message, Tool } from "./engines/engine.ts";
import type { TurnDeps } from "./turn-deps.ts";
import { earlierMs, type TurnInput } from "./turn-input.ts";

/** The data that an answer depends on, beside the turn's own text. */
export interface TurnContext {
  /** The earlier user inputs of the session, in order. */
  readonly earlier: readonly { readonly origin: number; readonly text: string }[];
  readonly history: readonly Message[];
  readonly tools: readonly Tool[];
}

const earlierRead = 64;

/** Reads the context of a turn. Throws BusAwayError, or the reason of `signal`. */
export async function readContext(
  input: TurnInput,
  presence: Presence,
  deps: TurnDeps,
  signal: AbortSignal,
): Promise<TurnContext> {
  const [earlier, history, tools] = await Promise.all([
    readEarlier(deps.bus, input, signal),
    deps.history.read(input.device, input),
    presence.features.mcp === true ? listTools(input, deps, signal) : [],
  ]);
  return { earlier, history, tools };
}

/** Combines a turn with its context into a request to an engine. It includes the text of earlier turns without an answer. */
export function createRequest(
  { bus, devices, fences }: TurnDeps,
  input: TurnInput,
  { context: { earlier, history, tools }, reply }: { readonly context: TurnContext; readonly reply: ReplyWriter },
  engine: LlmEngine,
): AnswerRequest {
  const { device, session, origin } = input;
  const profile = devices.profileOf(device);
  const language = input.language ?? guessLanguage(input.text, profile.language);
  // An engine that speaks one language needs the sentences of tools in it.
  const caller = { language: engine.language ?? language, profile };
  const answered = Math.max(reply.answered, fences.of(input.session));
  const texts = [...earlier.filter(({ origin }) => origin > answered), input].map(({ text }) => text);
  return {
    text: texts.filter((text) => text !== "").join("\n"),
    language,
    history,
    profile,
    device: {
      tools: devices.tools.toolsOf(input, tools, devices.busTools.sourceOf(input, caller)),
    },
    turn: { device, session, origin, since: performance.now() - Math.max(0, bus.now() - input.delivery.storedAt) },
    spoken: reply.sentences.filter(Boolean).join(" "),
  };
}

/** Reads the earlier user inputs of the session, spoken and typed, in order. */
async function readEarlier(bus: Bus, { device, session, origin, delivery }: TurnInput, signal: AbortSignal) {
  const range = { limit: earlierRead, from: { time: delivery.storedAt - earlierMs } };
  const [heard, typed] = await Promise.all([
    bus.stored(channels.heard(device), range, signal),
    bus.stored(channels.inText(device), range, signal),
  ]);
  return [
    ...heard.messages.map(({ session, origin, text }) => ({ session, origin, text })),
    ...typed.messages.map(({ session, seq, body }) => ({ session, origin: seq, text: body })),
  ]
    .filter((one) => one.session === session && one.origin < origin)
    .sort((a, b) => a.origin - b.origin);
}

/** Lists the device's tools. If the device fails, the turn goes on without them. */
async function listTools({ device, session, origin }: TurnInput, { devices, log }: TurnDeps, signal: AbortSignal) {
  try {
    return await devices.tools.list({ device, session }, signal);
  } catch (error) {
    signal.throwIfAborted();
    log.warn(
      { cause: describeCause(error), device, session, turn: origin },
      "tool list failed, answering without tools",
    );
    return [];
  }
}

/** Guesses the language of typed text from its script. */
function guessLanguage(text: string, usual: string): string {
  if (/^(?:zh|ja|ko)\b/i.test(usual)) return usual;
  return /\p{Script=Han}/u.test(text) ? "zh" : usual;
}
