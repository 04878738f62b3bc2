import { setTimeout as sleep } from "node:timers/promises";
import type { Emotion } from "@voxbus/protocol";
import type { ReplyWriter } from "@voxbus/subscriber";
import type { AnswerRequest, Delta, LlmEngine } from "./engines/engine.ts";
import type { EngineRun } from "./metrics.ts";
import { createSentenceCutter, type Sentence } from "./sentences.ts";
import { noThoughts } from "./thoughts.ts";

/** A model that failed or took too long. The cause says why. */
export class ModelError extends Error {
  override readonly name = "ModelError";
}

/** The destination, the limit and the measurements of an answer. */
export interface AnswerOptions {
  readonly write: ReplyWriter["write"];
  /** ms that the whole answer may take. */
  readonly answerMs: number;
  readonly onFirstToken: () => void;
  readonly onEngineRun: (run: EngineRun) => void;
  /** Tells whether another engine answers after a failure. Words without an end are forgotten then. */
  readonly givesWay?: (error: ModelError) => boolean;
  /** Called once if nothing was written at a time (`performance.now()`, ms). */
  readonly silence?: { readonly at: number; readonly end: () => Promise<void> } | undefined;
}

/**
 * Lets the engine answer, and writes each sentence as soon as it is complete. The last one is marked. An answer without
 * words leaves an end mark with the face of its emoji. Ends without an error once `signal` aborts. Throws ModelError if the
 * model failed, and any error of `write`.
 */
export async function writeAnswer(
  engine: LlmEngine,
  request: AnswerRequest,
  options: AnswerOptions,
  signal: AbortSignal,
): Promise<"answered" | "nothing-to-say"> {
  const language = engine.language ?? request.language;
  const cutter = createSentenceCutter(language);
  let emotion: Emotion | undefined;
  let { silence } = options;
  let spoken = request.spoken !== "";
  let cut: string | undefined;
  const write = async (sentence: Sentence, last: boolean) => {
    emotion = sentence.emotion ?? emotion;
    if (sentence.text === "") return;
    spoken = true;
    await options.write(sentence.text, { language, emotion, last, engine: engine.name });
    emotion = undefined;
  };

  const writeAll = async (sentences: readonly Sentence[]) => {
    for (const sentence of sentences) await write(sentence, false);
  };
  const { follow } = engine.thoughts ?? noThoughts;
  let filter = follow();
  const endParagraph = () => {
    const sentences = [...cutter.push(filter.end()), ...cutter.end()];
    filter = follow();
    return sentences;
  };
  const leave = new AbortController();
  const deltas = readEngine(engine, request, options, AbortSignal.any([signal, leave.signal]));
  try {
    for await (const delta of markPauses(deltas, leave, silence?.at)) {
      if (delta.type === "emotion") emotion = delta.emotion;
      else if (delta.type === "text") await writeAll(cutter.push(filter.push(delta.text)));
      else if (delta.type === "cut") cut = delta.reason;
      else if (delta.type === "paragraph") await writeAll(endParagraph());
      else {
        await writeAll([...cutter.push(filter.pause()), ...cutter.pause()]);
        if (spoken || !silence || performance.now() < silence.at) continue;
        await silence.end();
        silence = undefined;
      }
    }
  } catch (error) {
    const isLost = error instanceof ModelError && !signal.aborted && options.givesWay?.(error) !== true;
    if (isLost) await writeAll(endParagraph());
    throw error;
  }
  if (signal.aborted) return "answered";
  const rest = endParagraph();
  const last = rest.findLastIndex((sentence) => sentence.text !== "");
  for (const [i, sentence] of rest.entries()) await write(sentence, i === last);
  if (!spoken && cut !== undefined) throw new ModelError(`the engine "${engine.name}" was cut without words: ${cut}`);
  const outcome = spoken ? undefined : "nothing-to-say";
  if (last === -1) await options.write("", { language, emotion, last: true, outcome, engine: engine.name });
  return outcome ?? "answered";
}

const pauseMs = 300;

/**
 * Passes deltas on, and marks the pauses between them: 300 ms, or for a slow writer twice the time that a delta has taken
 * on average. Marks a pause at `markAt`, too. If the reader leaves, `leave` is aborted first: the writer may be in a pause
 * without an end.
 */
async function* markPauses(
  deltas: AsyncGenerator<Delta>,
  leave: AbortController,
  markAt = 0,
): AsyncGenerator<Delta | { readonly type: "pause" }> {
  const startedAt = performance.now();
  let count = 0;
  try {
    for (;;) {
      const next = deltas.next();
      const average = count === 0 ? 0 : (performance.now() - startedAt) / count;
      const now = performance.now();
      const marks = [now + Math.max(pauseMs, 2 * average), markAt].filter((at) => at > now).sort((a, b) => a - b);
      for (const at of marks) {
        if (!(await lasts(next, at))) break;
        yield { type: "pause" };
      }
      const { done, value } = await next;
      if (done === true) return;
      count += 1;
      yield value;
    }
  } finally {
    leave.abort();
    await deltas.return(undefined);
  }
}

/** Resolves with true if a promise has not settled at a time. Rejects as the promise does. */
async function lasts(promise: Promise<unknown>, at: number): Promise<boolean> {
  const timer = new AbortController();
  const wait = async () => {
    // A timer may fire early: it counts from the beginning of the event loop's turn.
    for (let ms = at - performance.now(); ms > 0; ms = at - performance.now())
      await sleep(ms, undefined, { signal: timer.signal });
    return "late" as const;
  };
  const late = wait().catch(() => "late" as const);
  return (await Promise.race([promise, late]).finally(() => timer.abort())) === "late";
}

/** Reads the engine's deltas. It wraps the engine's failures in ModelError, which tells them from those of the reader. */
async function* readEngine(
  engine: LlmEngine,
  request: AnswerRequest,
  { answerMs, onFirstToken, onEngineRun }: AnswerOptions,
  signal: AbortSignal,
): AsyncGenerator<Delta> {
  const startedAt = performance.now();
  let hasText = false;
  let failed = false;
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), answerMs);
  const deltas = engine.respond(request, AbortSignal.any([signal, patience.signal]))[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await deltas.next().catch((cause: unknown) => {
        failed = true;
        throw new ModelError(`the engine "${engine.name}" failed`, { cause });
      });
      if (next.done === true) break;
      if (!hasText && next.value.type === "text") onFirstToken();
      hasText ||= next.value.type === "text";
      yield next.value;
    }
    if (patience.signal.aborted && !signal.aborted) {
      failed = true;
      throw new ModelError(`the engine "${engine.name}" took more than ${answerMs} ms for an answer`);
    }
  } finally {
    onEngineRun({ engine: engine.name, ms: performance.now() - startedAt, failed });
    clearTimeout(timer);
    patience.abort();
    await deltas.return?.();
  }
}
