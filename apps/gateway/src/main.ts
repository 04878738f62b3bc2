import { subscriber } from "@voxbus/subscriber";
import { buildGateway, gateway } from "./app.ts";
import { runProcesses } from "./processes/parent.ts";
import { outliveParent, wantsProcesses } from "./processes/process-number.ts";

if (wantsProcesses(process.env)) await runProcesses(gateway);
else {
  outliveParent();
  await subscriber(gateway, buildGateway);
}
