import { isName, parseDeviceId } from "@voxbus/protocol";
import { z } from "zod";

/** A device id in a path or a query, with MAC addresses in lower case. */
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

/** The id of a gateway, or a group. */
export const Name = z.string().refine(isName, {
  message: "must be 1 to 64 characters of A-Z a-z 0-9 _ -",
  params: { problem: "bad-name" },
});

/** The parameters of a path that names a device. */
export const ByDevice = z.object({ id: DeviceId });

/** The parameters of a path that names a gateway. */
export const ByGateway = z.object({ id: Name });

/** The parameters of a path that names a group. */
export const ByGroup = z.object({ group: Name });

/** No parameters. */
export const Nothing = z.strictObject({});
