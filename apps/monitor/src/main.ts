import { subscriber } from "@voxbus/subscriber";
import { buildMonitor, monitorProgram } from "./app.ts";

await subscriber(monitorProgram, buildMonitor);
