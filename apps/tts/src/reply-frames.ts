import type { FrameName, Outbound, OutControl, OutText, ReplyOutcome } from "@voxbus/protocol";

/** The reply and the attempt that frames belong to. */
export interface ReplyName {
  readonly session?: string | undefined;
  readonly origin?: number | undefined;
  readonly reply: string;
  readonly attempt: number;
}

/** The content of a frame, before it is named. */
export type FrameBody =
  | { readonly kind: "audio"; readonly duration: number; readonly body: Uint8Array }
  | { readonly kind: "text"; readonly body: OutText }
  | { readonly kind: "control"; readonly body: OutControl };

/** The place of a frame in its reply. */
export interface FramePlace {
  readonly sentence: number;
  readonly end?: "sentence" | "reply" | undefined;
  readonly outcome?: ReplyOutcome | undefined;
  readonly repeatable?: boolean;
  /** The engine whose sound begins here. */
  readonly engine?: string | undefined;
}

/** Names the frames of a reply (docs/bus.md, causality) and keeps them. */
export interface ReplyFrames {
  /** Names the next frame and keeps it. */
  add(content: FrameBody, place: FramePlace): Outbound;
  /** Returns the frames behind this one, of any attempt, or all frames. */
  after(name?: FrameName): readonly Outbound[];
  /** Returns the duration of the sound up to and including this frame (ms). */
  position(name?: FrameName): number;
  /** Returns the number of frames of a sentence so far. */
  count(sentence: number): number;
  /** The duration of all sound so far (ms). */
  readonly durationMs: number;
}

/** Creates an empty list of frames. `n` begins at 0 in every sentence. */
export function createReplyFrames(name: ReplyName): ReplyFrames {
  const kept: { readonly frame: Outbound; readonly sentence: number; readonly n: number; readonly until: number }[] =
    [];
  let durationMs = 0;
  const isBehind = (sentence: number, n: number, name: FrameName) =>
    sentence > name.sentence || (sentence === name.sentence && n > name.n);
  return {
    add: (content, { sentence, end, outcome, repeatable = true, engine }) => {
      const last = kept.at(-1);
      const n = last?.sentence === sentence ? last.n + 1 : 0;
      const frame: Outbound = {
        ...name,
        sentence,
        n,
        repeatable,
        ...(end && { end, outcome }),
        ...(engine && { engine }),
        ...content,
      };
      if (content.kind === "audio") durationMs += content.duration;
      kept.push({ frame, sentence, n, until: durationMs });
      return frame;
    },
    after: (name) => kept.filter(({ sentence, n }) => !name || isBehind(sentence, n, name)).map(({ frame }) => frame),
    position: (name) => (name && kept.findLast(({ sentence, n }) => !isBehind(sentence, n, name))?.until) ?? 0,
    count(sentence) {
      const last = kept.at(-1);
      return last?.sentence === sentence ? last.n + 1 : 0;
    },
    get durationMs() {
      return durationMs;
    },
  };
}
