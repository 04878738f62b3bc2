import { callCases } from "./cases-calls.ts";
import { clientCases } from "./cases-clients.ts";
import { firmwareCases } from "./cases-firmware.ts";
import { historyCases } from "./cases-history.ts";
import { hostCases } from "./cases-hosts.ts";
import { listenCases } from "./cases-listens.ts";
import { modelCases } from "./cases-models.ts";
import { natsCases } from "./cases-nats.ts";
import { outcomeCases } from "./cases-outcomes.ts";
import { recognizerCases } from "./cases-recognizers.ts";
import { slowCases } from "./cases-slow.ts";
import { speakingCases } from "./cases-speaking.ts";
import { surroundingCases } from "./cases-surroundings.ts";
import { textCases } from "./cases-text.ts";
import { toolCases } from "./cases-tools.ts";
import { voiceCases } from "./cases-voices.ts";
import type { FieldKind } from "./field-case.ts";

/** Every case, kind by kind, in the order of the tables in docs/compatibility.md. */
export const kinds: readonly FieldKind[] = [
  slowCases,
  speakingCases,
  modelCases,
  callCases,
  recognizerCases,
  voiceCases,
  toolCases,
  listenCases,
  clientCases,
  firmwareCases,
  textCases,
  historyCases,
  natsCases,
  hostCases,
  outcomeCases,
  surroundingCases,
];
