import { subscriber } from "@voxbus/subscriber";
import { buildGateway, gatewayProgram } from "./app.ts";

await subscriber(gatewayProgram, buildGateway);
