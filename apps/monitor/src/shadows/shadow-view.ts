import { z } from "zod";

const share = z.number().min(0);

/** A shadow beside the real program. Of its newest 1,000 comparisons; times in ms. */
export const ShadowView = z.object({
  name: z.string(),
  program: z.enum(["asr", "dialogue"]),
  seconds: z.number().describe("since its first result"),
  compared: z.number().int(),
  missing: z.number().int().describe("real results without one of the shadow within a minute"),
  extra: z.number().int().describe("results of the shadow without a real one within a minute"),
  equal: share.optional().describe("share of equal texts, without regard to case and punctuation"),
  wordErrors: share.optional().describe("words that differ, per word of the real program"),
  laterMs: z
    .object({ p50: z.number(), p95: z.number() })
    .optional()
    .describe("transcripts, or first sentences, after those of the real program, ms; below 0: before them"),
});
export type ShadowView = z.infer<typeof ShadowView>;
