import { failures, readFailure, type FailureReason } from "@voxbus/engines";
import { ModelError, writeAnswer, type AnswerOptions } from "./answer.ts";
import type { AnswerRequest, LlmEngine } from "./engines/engine.ts";

/** How an answer passes from one engine to the next. */
export interface OrderOptions extends AnswerOptions {
  /** Gives the request for an engine. */
  readonly requestOf: (engine: LlmEngine) => AnswerRequest;
  /** Called when an engine failed and the next one is asked. */
  readonly onFailover: (engine: LlmEngine, reason: FailureReason) => void;
}

/**
 * Writes the answer of the first engine, or of the next if the service of one fails. Once a sentence was written or a tool was
 * called, no other engine is asked: it would begin again. All of them together have `answerMs`. Throws the last one's ModelError.
 */
export async function writeAnswerInOrder(
  engines: readonly LlmEngine[],
  options: OrderOptions,
  signal: AbortSignal,
): ReturnType<typeof writeAnswer> {
  const { requestOf, onFailover, ...rest } = options;
  const endsAt = performance.now() + options.answerMs;
  const [engine, ...others] = engines;
  if (engine === undefined) throw new ModelError("there is no engine");
  const { request, begun } = noteBeginning(requestOf(engine));
  let written = false;
  const givesWay = (error: unknown) =>
    others.length > 0 && !written && !begun() && !signal.aborted && failsOver(error) && performance.now() < endsAt;
  const write: AnswerOptions["write"] = (...sentence) => {
    written = true;
    return options.write(...sentence);
  };
  try {
    return await writeAnswer(engine, request, { ...rest, write, givesWay }, signal);
  } catch (error) {
    if (!givesWay(error)) throw error;
    onFailover(engine, readFailure(error));
  }
  return writeAnswerInOrder(others, { ...options, answerMs: endsAt - performance.now() }, signal);
}

/** Tells whether the next engine may answer. An answer that was cut, or that took too long, has no cause. */
function failsOver(error: unknown): boolean {
  return error instanceof ModelError && error.cause !== undefined && failures[readFailure(error)].failsOver;
}

/** Notes whether an answer has begun: a worker before has stored a part of it, or a tool was called. */
function noteBeginning(request: AnswerRequest) {
  const { tools } = request.device;
  let begun = request.spoken !== "";
  const call: typeof tools.call = (...args) => {
    begun = true;
    return tools.call(...args);
  };
  return { request: { ...request, device: { ...request.device, tools: { ...tools, call } } }, begun: () => begun };
}
