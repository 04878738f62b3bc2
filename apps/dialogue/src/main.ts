import { run } from "@voxbus/service";
import { buildDialogue, dialogueProgram } from "./app.ts";

await run(dialogueProgram, buildDialogue);
