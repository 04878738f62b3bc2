import { subscriber } from "@voxbus/subscriber";
import { buildTts, ttsProgram } from "./app.ts";

await subscriber(ttsProgram, buildTts);
