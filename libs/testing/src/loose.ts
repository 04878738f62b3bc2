import type { Channel } from "@voxbus/protocol";
import { z } from "zod";

/**
 * Gives a channel without its schema and delivery, for tests that send what no product code can: malformed envelopes, or
 * a stored channel's message past its stream.
 */
export function loose(channel: Channel): Channel<z.ZodAny, any> {
  return { ...channel, schema: z.any() };
}
