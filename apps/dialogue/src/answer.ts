import type { Emotion } from "@voxbus/protocol";
import type { Delta, LlmEngine, Turn } from "./engines/engine.ts";
import type { SayHow } from "./reply-writer.ts";
import { createSentenceCutter, type Sentence } from "./sentences.ts";

/** The model failed, took too long, or gave nothing that can be spoken; the cause says why. */
export class ModelError extends Error {
  override readonly name = "ModelError";
}

/** Takes one sentence to be spoken; an empty one that is last only marks the end. */
export type Say = (text: string, how: SayHow) => Promise<void>;

/** How an answer is said, and who is told of it. */
export type Answering = {
  /** ms that a whole answer may take. */
  readonly turnMs: number;
  readonly say: Say;
  readonly onFirstToken?: () => void;
  readonly onEngine?: (engine: string, ms: number, failed: boolean) => void;
};

/**
 * Has the engine answer and says it sentence by sentence, each as soon as it is complete, the last one marked. Ends
 * quietly once `signal` aborts. Throws ModelError for what is the model's fault, and what `say` throws.
 */
export async function sayAnswer(
  engine: LlmEngine,
  turn: Turn,
  answering: Answering,
  signal: AbortSignal,
): Promise<void> {
  const { say } = answering;
  const language = engine.language ?? turn.language;
  const cutter = createSentenceCutter(language);
  let emotion: Emotion | undefined;
  let spoken = turn.said !== "";
  const take = async (sentence: Sentence, last: boolean) => {
    emotion = sentence.emotion ?? emotion;
    if (sentence.text === "") return;
    spoken = true;
    await say(sentence.text, { language, emotion, last });
    emotion = undefined;
  };

  for await (const delta of readEngine(engine, turn, answering, signal)) {
    if (delta.type === "emotion") emotion = delta.emotion;
    else for (const sentence of cutter.push(delta.text)) await take(sentence, false);
  }
  if (signal.aborted) return;
  const rest = cutter.end().filter((sentence) => sentence.text !== "");
  for (const [i, sentence] of rest.entries()) await take(sentence, i === rest.length - 1);
  if (!spoken) throw new ModelError("the model gave nothing that can be spoken");
  if (rest.length === 0) await say("", { language, last: true });
}

/** What the engine gives, its failures told apart from those of whoever reads it. */
async function* readEngine(
  engine: LlmEngine,
  turn: Turn,
  { turnMs, onFirstToken, onEngine }: Answering,
  signal: AbortSignal,
): AsyncGenerator<Delta> {
  const began = performance.now();
  let given = false;
  let failed = false;
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), turnMs);
  const deltas = engine.respond(turn, AbortSignal.any([signal, patience.signal]))[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await deltas.next().catch((cause: unknown) => {
        failed = true;
        throw new ModelError(`the engine "${engine.name}" failed`, { cause });
      });
      if (next.done === true) break;
      if (!given && next.value.type === "text") onFirstToken?.();
      given ||= next.value.type === "text";
      yield next.value;
    }
    if (patience.signal.aborted && !signal.aborted) {
      failed = true;
      throw new ModelError(`the engine "${engine.name}" took more than ${turnMs} ms for an answer`);
    }
  } finally {
    onEngine?.(engine.name, performance.now() - began, failed);
    clearTimeout(timer);
    patience.abort();
    await deltas.return?.();
  }
}
