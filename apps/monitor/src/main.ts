import { subscriber } from "@voxbus/subscriber";
import { buildMonitor, monitor } from "./app.ts";

await subscriber(monitor, buildMonitor);
