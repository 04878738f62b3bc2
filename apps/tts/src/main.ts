import { run } from "@voxbus/service";
import { buildTts, ttsProgram } from "./app.ts";

await run(ttsProgram, buildTts);
