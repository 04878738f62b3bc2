import { clockIntents } from "./clock.ts";
import { deviceIntents } from "./device.ts";
import type { Intent } from "./intent.ts";
import { talkIntents } from "./talk.ts";

/**
 * The table of the embedded assistant. `createGrammar` derives from it what can be heard, `matchIntent` what is answered,
 * so every phrase that can be heard can be answered. To add a phrase with its answer, add a `defineIntent` to the table.
 */
export const intents: readonly Intent[] = [...talkIntents, ...clockIntents, ...deviceIntents];
