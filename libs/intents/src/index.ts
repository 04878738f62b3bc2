export { assertPronounceable, createGrammar, garbagePrefix, type Grammar } from "./grammar.ts";
export {
  defineIntent,
  emotions,
  type Answer,
  type Emotion,
  type Intent,
  type IntentContext,
  type IntentDefinition,
} from "./intent.ts";
export { judgePhrase, matchIntent, type Match } from "./match.ts";
export { createChoiceSlot, type Slot, type SlotArc, type SlotValue } from "./slot.ts";
export { modelHint } from "./talk.ts";
export { intents } from "./table.ts";
