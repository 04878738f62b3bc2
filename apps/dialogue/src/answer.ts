import type { Emotion } from "@voxbus/protocol";
import type { AnswerRequest, Delta, LlmEngine } from "./engines/engine.ts";
import type { EngineRun } from "./metrics.ts";
import type { ReplyWriter } from "./reply-writer.ts";
import { createSentenceCutter, type Sentence } from "./sentences.ts";

/** A model that failed, took too long, or gave nothing that can be spoken. The cause says why. */
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
}

/**
 * Lets the engine answer, and writes each sentence as soon as it is complete. The last one is marked. Ends without an
 * error once `signal` aborts. Throws ModelError if the model failed, and any error of `write`.
 */
export async function writeAnswer(
  engine: LlmEngine,
  request: AnswerRequest,
  options: AnswerOptions,
  signal: AbortSignal,
): Promise<void> {
  const language = engine.language ?? request.language;
  const cutter = createSentenceCutter(language);
  let emotion: Emotion | undefined;
  let spoken = request.spoken !== "";
  const write = async (sentence: Sentence, last: boolean) => {
    emotion = sentence.emotion ?? emotion;
    if (sentence.text === "") return;
    spoken = true;
    await options.write(sentence.text, { language, emotion, last });
    emotion = undefined;
  };

  for await (const delta of readEngine(engine, request, options, signal)) {
    if (delta.type === "emotion") emotion = delta.emotion;
    else for (const sentence of cutter.push(delta.text)) await write(sentence, false);
  }
  if (signal.aborted) return;
  const rest = cutter.end().filter((sentence) => sentence.text !== "");
  for (const [i, sentence] of rest.entries()) await write(sentence, i === rest.length - 1);
  if (!spoken) throw new ModelError(`the engine "${engine.name}" gave nothing that can be spoken`);
  if (rest.length === 0) await options.write("", { language, last: true });
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
