/** A pattern of the names of tags that models put thoughts between. */
export const thoughtNames = "think(?:ing)?|thoughts?|thought_process|reason(?:ing)?|reflection|analysis|scratchpad";
const begins = [
  `(?:<|&lt;)(?:\\w+:)?(?:${thoughtNames})(?:\\s[^<>]{0,200})?(?:>|&gt;)`,
  "\\[think\\]|◁think▷|<\\|begin_of_thought\\|>|<\\|channel\\|>\\s*analysis[^<]{0,40}<\\|message\\|>",
];
const ends = [
  `(?:<|&lt;)/(?:\\w+:)?(?:${thoughtNames})\\s*(?:>|&gt;)`,
  "\\[/think\\]|◁/think▷|<\\|end_of_thought\\|>|<\\|channel\\|>\\s*(?:final|commentary)[^<]{0,40}<\\|message\\|>",
  "(?:<\\|start\\|>)?assistant(?:<\\|channel\\|>)?final(?:<\\|message\\|>)?",
];

/** The beginning of a thought in a model's text, or its end (group 1), in the notations of several models. */
export const thoughtTag = new RegExp(`${begins.join("|")}|(${ends.join("|")})`, "i");

/** Longest time that the first answer of a model is held back to see whether it is a thought, ms. */
const holdMs = 2000;

/** Recognizes the thoughts of one model that says only where they end. Other thoughts are marked at both ends. */
export interface ThoughtFilter {
  /** Follows one completion from its beginning. */
  follow(): CompletionFilter;
}

/** Passes on the text of one completion that is no such thought, as far as this is certain. */
export interface CompletionFilter {
  push(text: string): string;
  /** The model pauses: gives the text that was held back, unless the model is known to think first. */
  pause(): string;
  /** Ends the completion. Gives the text that was held back. */
  end(): string;
}

/** Passes everything on. */
export const noThoughts: ThoughtFilter = {
  follow: () => ({ push: (text) => text, pause: () => "", end: () => "" }),
};

/**
 * Creates the filter of one model. It holds back the beginning of the first answer, for 2 s at most. Once it has seen a
 * thought that only ends, it holds back every answer until that end. `now` gives the time in ms.
 */
export function createThoughtFilter(now = (): number => performance.now()): ThoughtFilter {
  let habit: "unknown" | "plain" | "thinks first" = "unknown";
  const follow = (): CompletionFilter => {
    const startedAt = now();
    let holding = habit !== "plain";
    let held = "";
    const release = (text: string) => {
      holding = false;
      held = "";
      return text;
    };
    return {
      push(text) {
        if (!holding) return text;
        held += text;
        const tag = thoughtTag.exec(held);
        if (tag?.[1] !== undefined) {
          habit = "thinks first";
          return release(held.slice(tag.index + tag[0].length));
        }
        const isLate = habit === "unknown" && now() - startedAt > holdMs;
        return tag !== null || isLate ? release(held) : "";
      },
      pause: () => (habit === "unknown" ? release(held) : ""),
      end() {
        if (holding && habit === "unknown" && held.trim() !== "") habit = "plain";
        return release(held);
      },
    };
  };
  return { follow };
}
