import { subscriber } from "@voxbus/subscriber";
import { buildEcho, echoProgram } from "./echo.ts";

await subscriber(echoProgram, buildEcho);
