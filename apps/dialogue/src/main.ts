import { subscriber } from "@voxbus/subscriber";
import { buildDialogue, dialogue } from "./app.ts";

await subscriber(dialogue, buildDialogue);
