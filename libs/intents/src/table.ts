import { clockIntents } from "./clock.ts";
import { deviceIntents } from "./device.ts";
import type { Intent } from "./intent.ts";
import { talkIntents } from "./talk.ts";

/**
 * The table of the embedded assistant. From it come both what can be heard (`createGrammar`) and what is answered
 * (`matchIntent`), so whatever can be heard can be answered. To add a phrase with its answer, add a `defineIntent` here.
 */
export const intents: readonly Intent[] = [...talkIntents, ...clockIntents, ...deviceIntents];
