import { subscriber } from "@voxbus/subscriber";
import { buildEcho, echo } from "./echo.ts";

await subscriber(echo, buildEcho);
