import { subscriber } from "@voxbus/subscriber";
import { announcer, buildAnnouncer } from "./announcer.ts";

await subscriber(announcer, buildAnnouncer);
