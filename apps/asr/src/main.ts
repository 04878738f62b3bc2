import { subscriber } from "@voxbus/subscriber";
import { asrProgram, buildAsr } from "./app.ts";

await subscriber(asrProgram, buildAsr);
