import type { FailureReason } from "@voxbus/engines";
import { PoolFullError, ShedError } from "@voxbus/pools";
import { describeCause, FencedError, LostReplyError, signalShed, type ReplyWriter } from "@voxbus/subscriber";
import { ModelError } from "./answer.ts";
import { writeAnswerInOrder } from "./answer-in-order.ts";
import { apologize } from "./apologies.ts";
import type { AnswerRequest, LlmEngine } from "./engines/engine.ts";
import type { TurnMetrics } from "./metrics.ts";
import { openReply } from "./reply.ts";
import { createTurnRecord, type TurnRecord } from "./turn-record.ts";
import { createRequest, readContext } from "./turn-context.ts";
import { createMoment, createSilence, tellSlowTools } from "./slow-turn.ts";
import type { TurnPlace } from "./turn-admission.ts";
import type { TurnDeps, TurnEvents } from "./turn-deps.ts";
import type { TurnInput, TurnOutcome } from "./turn-input.ts";
import { SupersededError } from "./turn-queue.ts";
import { markTurn, traceEngine, traceFailure, traceText } from "./turn-span.ts";

/**
 * Answers a turn, and earlier ones of its session without an answer, in one reply that is stored sentence by sentence. If
 * the model fails, it apologizes. A turn that no tts could speak waits, and is shed after its patience. Calls `onStart` before it
 * stores the first sentence. Throws BusAwayError, or the reason of `signal` if the claim is lost. Another worker then continues
 * after the stored sentences.
 */
export async function answerTurn(
  input: TurnInput,
  deps: TurnDeps,
  events: TurnEvents,
  signal: AbortSignal,
): Promise<TurnOutcome> {
  const fence = deps.fences.watch(input);
  const gone = new AbortController();
  const session = deps.devices.follow(input, () => gone.abort(new SessionGoneError("the session is gone")));
  const alive = AbortSignal.any([signal, fence.signal, gone.signal]);
  const record = createTurnRecord(deps, input);
  let place: TurnPlace | undefined;
  try {
    alive.throwIfAborted();
    const presence = await deps.devices.presenceOf(input, alive);
    if (presence === undefined) return "offline";
    place = await deps.admission.enter(input, () => events.onWait(true), alive);
    const engines = deps.enginesOf(deps.devices.profileOf(input.device));
    const modelMs = engines[0]?.pool?.waitMs("high") ?? 0;
    const ageMs = deps.bus.now() - input.delivery.storedAt;
    events.onWait(modelMs > 0 && ageMs + modelMs > deps.settings.deadlineMs);
    const [reply, context] = await Promise.all([
      openReply(deps.bus, input, alive),
      readContext(input, presence, deps, alive),
    ]);
    if (reply.ended) return "answered before";
    if (reply.superseded) return "superseded";
    record.said.push(...reply.sentences);
    const requestOf = (engine: LlmEngine) => record.follow(createRequest(deps, input, { context, reply }, engine));
    return await writeReply({ input, engines, requestOf, reply, record, place, onStart: events.onStart }, deps, alive);
  } catch (error) {
    if (error instanceof ShedError) return shed(input, deps);
    const isCut = alive.reason instanceof FencedError || alive.reason instanceof SessionGoneError;
    if (isCut) {
      const isTakenUp = input.delivery.attempt > 1 && record.said.length === 0;
      if (isTakenUp) record.said.push(...(await openReply(deps.bus, input, signal)).sentences);
      await record.keep("interrupted");
    }
    if (alive.reason instanceof FencedError) return "fenced";
    if (alive.reason instanceof SessionGoneError) return "offline";
    if (alive.reason instanceof SupersededError || error instanceof LostReplyError) return "superseded";
    throw error;
  } finally {
    place?.leave();
    fence.close();
    session.close();
  }
}

/** Tells the gateway that no program will answer a turn. */
function shed(input: TurnInput, { bus, log }: TurnDeps): TurnOutcome {
  const { device, session, origin } = input;
  log.warn({ device, session, turn: origin }, "turn shed");
  signalShed(bus, device, { session, origin });
  return "shed";
}

/** The reason for ending a turn whose device has no such session any more. */
class SessionGoneError extends Error {
  override readonly name = "SessionGoneError";
}

interface TurnWork {
  readonly input: TurnInput;
  readonly engines: readonly LlmEngine[];
  readonly requestOf: (engine: LlmEngine) => AnswerRequest;
  readonly reply: ReplyWriter;
  readonly record: TurnRecord;
  readonly place: TurnPlace;
  readonly onStart: () => void;
}

/** Writes the engine's answer, or an apology, and adds the turn to the history. */
async function writeReply(work: TurnWork, deps: TurnDeps, alive: AbortSignal): Promise<TurnOutcome> {
  const { input, engines, requestOf, record } = work;
  const { metrics, settings, log } = deps;
  const { answerMs, traceContent } = settings;
  const { device, session, origin, delivery } = input;
  const request = requestOf(engines[0]!);
  const write = createWrite(work, metrics, alive);
  const onFirstToken = () => metrics.firstToken(performance.now() - delivery.claimedAt);
  let outcome: TurnOutcome = "answered";
  try {
    if (delivery.final) throw new ModelError("every worker that claimed this turn failed");
    if (input.reason === "failed" && request.text === "") throw new ModelError("the recognizer failed");
    const say = createMoment({ ...work, request }, alive);
    const silence = createSilence(work, settings, say);
    const options = {
      write,
      answerMs,
      onFirstToken,
      onEngineRun: metrics.engineRan,
      silence,
      requestOf: (engine: LlmEngine) => tellSlowTools({ request: requestOf(engine), record }, settings, say),
      onFailover({ name }: LlmEngine, reason: FailureReason) {
        log.warn({ engine: name, reason, device, session, turn: origin }, "engine failed, asking the next one");
        markTurn("engine failed", { "voxbus.dialogue.engine": name, "error.type": reason });
      },
    };
    outcome = await writeAnswerInOrder(engines, options, alive);
  } catch (error) {
    if (!(error instanceof ModelError) || alive.aborted) throw error;
    if (error.cause instanceof PoolFullError && record.said.length === 0)
      throw new ShedError("the model has too much work", { cause: error });
    const about = { device, session, turn: origin };
    log.warn({ err: error, cause: describeCause(error), ...about }, "turn failed, apologizing");
    traceFailure(error);
    const { language } = request;
    outcome = "failed";
    await record.keep(outcome);
    const apology = apologize(record.said.some(Boolean) ? "interrupted" : "failed", language);
    await write(apology, { language, emotion: "sad", last: true, outcome });
  } finally {
    if (traceContent) traceText(request.text, record.said.filter(Boolean).join(" "));
  }
  alive.throwIfAborted();
  if (outcome !== "failed") await record.keep();
  return outcome;
}

/** Makes a `write` that stops once the turn is aborted, reports the start of the answer, and collects the sentences. */
function createWrite(
  { input, reply, record, place, onStart }: TurnWork,
  metrics: TurnMetrics,
  alive: AbortSignal,
): ReplyWriter["write"] {
  let started = false;
  return async (text, options) => {
    alive.throwIfAborted();
    if (!started) {
      started = true;
      metrics.firstSentence(performance.now() - input.delivery.claimedAt);
      markTurn("first sentence");
      onStart();
    }
    await reply.write(text, options);
    place.begun();
    if (text !== "") record.said.push(text);
    if (options.engine === undefined || options.engine === record.engine) return;
    record.engine = options.engine;
    traceEngine(options.engine);
  };
}
