import { isName } from "@voxbus/protocol";
import { z } from "zod";

/** The id of a gateway, or a group. */
export const Name = z.string().refine(isName, "must be 1 to 64 characters of A-Z a-z 0-9 _ -");

/** The parameters of a path that names a gateway. */
export const ByGateway = z.object({ id: Name });

/** The parameters of a path that names a group. */
export const ByGroup = z.object({ group: Name });
