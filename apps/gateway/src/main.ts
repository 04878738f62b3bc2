import { run } from "@voxbus/service";
import { buildGateway, gateway } from "./app.ts";

await run(gateway, buildGateway);
