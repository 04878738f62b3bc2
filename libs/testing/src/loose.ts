import type { BucketRow, Channel } from "@voxbus/protocol";
import { z } from "zod";

/**
 * Gives a channel without its schema and delivery, for tests that send what no product code can: malformed envelopes, or
 * a stored channel's message past its stream.
 */
export function loose(channel: Channel): Channel<z.ZodAny, any> {
  return { ...channel, schema: z.any() };
}

/** Gives a kind of entry without its schema, for tests that store malformed entries. */
export function looseRow(row: BucketRow): BucketRow<z.ZodAny> {
  return { ...row, schema: z.any() };
}
