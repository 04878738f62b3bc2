import { channels } from "@voxbus/protocol";
import type { OfferTool } from "@voxbus/subscriber";
import { phrasesIn } from "./phrases.ts";
import { placeOf, type ToolDeps } from "./tool-deps.ts";

/** Offers the tool that ends the conversation after the answer in which it is called. */
export function offerEnd(tool: OfferTool, deps: ToolDeps): void {
  tool(
    {
      name: "end_conversation",
      description:
        "Ends the conversation after this answer. Call it when the user says goodbye or wants no more, and then say goodbye in one sentence.",
    },
    (_, call) => {
      const { device, session, origin } = call;
      deps.bus.publish(channels.out(device), { session, origin, kind: "control", body: { type: "close" } });
      return phrasesIn(placeOf(call, deps).language).phrases.ending;
    },
  );
}
