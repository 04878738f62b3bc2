import { dialects } from "@voxbus/testing";
import type { FieldKind } from "./field-case.ts";
import { saysExactly } from "./outcomes.ts";

/** Language models' servers, which take liberties with OpenAI's chat completions. */
export const modelCases: FieldKind = {
  title: "Models",
  cases: [
    {
      odd: "the answer as one JSON object although a stream was asked for",
      right: "the answer is spoken",
      why: "Small gateways do not know `stream`.",
      quick: true,
      async run({ server, connect }) {
        server.dialect = { ...dialects.openai, answersWhole: true };
        return saysExactly(await (await connect()).ask("how are you"), "Fine.");
      },
    },
  ],
};
