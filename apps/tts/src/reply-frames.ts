import type { FrameName, Outbound, OutControl, OutText } from "@voxbus/protocol";

/** Whose frames they are. */
export interface ReplyName {
  readonly session?: string | undefined;
  readonly origin?: number | undefined;
  readonly reply: string;
  readonly attempt: number;
}

/** What a frame carries, before it is named. */
export type FrameBody =
  | { readonly kind: "audio"; readonly duration: number; readonly body: Uint8Array }
  | { readonly kind: "text"; readonly body: OutText }
  | { readonly kind: "control"; readonly body: OutControl };

/** Where a frame stands beside its content. */
export interface FramePlace {
  readonly sentence: number;
  readonly end?: "sentence" | "reply" | undefined;
  readonly repeatable?: boolean;
}

/** Names a reply's frames (docs/bus.md, causality) and keeps them until it is over. */
export interface ReplyFrames {
  /** Names the next frame and keeps it. */
  add(content: FrameBody, place: FramePlace): Outbound;
  /** All frames so far behind this one (of whichever attempt), or all of them. */
  after(name?: FrameName): readonly Outbound[];
  /** How much is sound up to and including this frame, ms. */
  position(name?: FrameName): number;
  /** How much sound there is so far, ms. */
  readonly durationMs: number;
}

/** Starts with no frames; `n` begins at 0 in every sentence. */
export function createReplyFrames(name: ReplyName): ReplyFrames {
  const kept: { readonly frame: Outbound; readonly sentence: number; readonly n: number; readonly until: number }[] =
    [];
  let durationMs = 0;
  const isBehind = (sentence: number, n: number, name: FrameName) =>
    sentence > name.sentence || (sentence === name.sentence && n > name.n);
  return {
    add: (content, { sentence, end, repeatable = true }) => {
      const last = kept.at(-1);
      const n = last?.sentence === sentence ? last.n + 1 : 0;
      const frame: Outbound = { ...name, sentence, n, repeatable, ...(end && { end }), ...content };
      if (content.kind === "audio") durationMs += content.duration;
      kept.push({ frame, sentence, n, until: durationMs });
      return frame;
    },
    after: (name) => kept.filter(({ sentence, n }) => !name || isBehind(sentence, n, name)).map(({ frame }) => frame),
    position: (name) => (name && kept.findLast(({ sentence, n }) => !isBehind(sentence, n, name))?.until) ?? 0,
    get durationMs() {
      return durationMs;
    },
  };
}
