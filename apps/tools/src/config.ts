import { z } from "zod";

/** The variables of tools; `--help` prints them. */
export const toolsConfig = {
  VOXBUS_TOOLS_DEVICE_MS: z.coerce
    .number()
    .int()
    .min(100)
    .max(50_000)
    .default(4000)
    .describe("longest wait for an answer of a device whose volume or brightness is set, ms"),
};
