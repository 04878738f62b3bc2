import { z } from "zod";

const count = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

/** The variables of programs in which turns wait for their place. */
export const turnWaitConfig = {
  VOXBUS_TURN_DEADLINE_MS: count(100, 60_000)
    .default(1500)
    .describe("ms from a turn to its first sound, after which the turn is late"),
  VOXBUS_TURN_PATIENCE_MS: count(500, 120_000)
    .default(10_000)
    .describe("longest wait of a turn for its place, ms; then it is shed. Announcements wait six times as long"),
};
