import { subscriber } from "@voxbus/subscriber";
import { buildMcp, mcp } from "./app.ts";

await subscriber(mcp, buildMcp);
