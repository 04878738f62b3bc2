import { useEffect, useState } from "preact/hooks";
import { RefusedError } from "./api.ts";
import { useWords } from "./words.ts";

const doneMs = 6000;

/** The result of the user's last action, and how actions and edits change it. */
export interface ActionResult {
  /** A sentence. The success of an action is shown for 6 s, a failure until the next action or edit. */
  readonly text: string;
  /** Runs an action. Its sentence, or `done` if it gives none, is shown in the end. */
  run(work: () => Promise<string | void>, done: string): Promise<void>;
  /** Forgets the result, since the user goes on. */
  clear(): void;
}

/** Keeps the result of the last action of a form. */
export function useResult(): ActionResult {
  const { error: words } = useWords();
  const [{ text, isDone }, setResult] = useState({ text: "", isDone: false });
  useEffect(() => {
    if (!isDone) return undefined;
    const timer = setTimeout(() => setResult({ text: "", isDone: false }), doneMs);
    return () => clearTimeout(timer);
  }, [text, isDone]);
  const clear = () => setResult({ text: "", isDone: false });
  return {
    text,
    clear,
    async run(work, done) {
      clear();
      try {
        const problem = await work();
        setResult(problem ? { text: problem, isDone: false } : { text: done, isDone: done !== "" });
      } catch (error) {
        const reason = error instanceof RefusedError ? `${words.failed}: ${error.message}` : words.unreachable;
        setResult({ text: reason, isDone: false });
      }
    },
  };
}
