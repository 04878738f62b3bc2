import { subscriber } from "@voxbus/subscriber";
import { buildIntercom, intercom } from "./intercom.ts";

await subscriber(intercom, buildIntercom);
