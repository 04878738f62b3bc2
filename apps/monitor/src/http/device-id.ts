import { parseDeviceId } from "@voxbus/protocol";
import { z } from "zod";

/** A device id in a path or a query, MAC addresses in lower case. */
export const DeviceId = z
  .string()
  .transform((raw, context) => {
    try {
      return parseDeviceId(raw);
    } catch (error) {
      context.addIssue({ code: "custom", message: (error as Error).message });
      return z.NEVER;
    }
  })
  .describe("1 to 64 characters of A-Z a-z 0-9 : _ -");

/** The parameters of a path that names a device. */
export const ById = z.object({ id: DeviceId });

/** No parameters at all. */
export const Nothing = z.strictObject({});
