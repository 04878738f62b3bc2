import { subscriber } from "@voxbus/subscriber";
import { buildTools, tools } from "./app.ts";

await subscriber(tools, buildTools);
