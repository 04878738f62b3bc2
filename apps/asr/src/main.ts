import { run } from "@voxbus/service";
import { asrProgram, buildAsr } from "./app.ts";

await run(asrProgram, buildAsr);
