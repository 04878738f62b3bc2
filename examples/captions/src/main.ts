import { subscriber } from "@voxbus/subscriber";
import { buildCaptions, captions } from "./captions.ts";

// The log would stand between the captions.
process.env["VOXBUS_LOG_LEVEL"] ??= "warn";
await subscriber(captions, (context) => buildCaptions(context, process.stdout));
