import { z } from "zod";
import { describeError } from "./error-cause.ts";

/** The trial of one engine: ms from the request to the first piece of its answer, or the problem. */
export const EngineTrial = z.object({
  engine: z.string(),
  firstMs: z.number().optional(),
  problem: z.string().optional(),
});
export type EngineTrial = z.infer<typeof EngineTrial>;

/** A program's report on its engines, as `--try-engines` prints it. A program without engines has no trials. */
export const TrialReport = z.object({ program: z.string(), trials: z.array(EngineTrial) });
export type TrialReport = z.infer<typeof TrialReport>;

/**
 * Measures one engine: `open` creates it, and `ask` resolves at the first piece of its answer. The time does not include the
 * creation. Never rejects.
 */
export async function tryEngine<E>(
  engine: string,
  open: () => Promise<E>,
  ask: (opened: E) => Promise<unknown>,
): Promise<EngineTrial> {
  try {
    const opened = await open();
    const began = performance.now();
    await ask(opened);
    return { engine, firstMs: Math.round(performance.now() - began) };
  } catch (error) {
    return { engine, problem: String(describeError(error)["message"]) };
  }
}
