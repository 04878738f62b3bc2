import { subscriber } from "@voxbus/subscriber";
import { buildDialogue, dialogueProgram } from "./app.ts";

await subscriber(dialogueProgram, buildDialogue);
