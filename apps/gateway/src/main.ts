import { subscriber } from "@voxbus/subscriber";
import { buildGateway, gateway } from "./app.ts";

await subscriber(gateway, buildGateway);
