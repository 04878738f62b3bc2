import { z, type OfferTool } from "@voxbus/subscriber";
import { formatChoice, formatDate, formatTime } from "./format.ts";
import { phrasesIn } from "./phrases.ts";
import { createPlaceFinder } from "./places.ts";
import { placeOf, type ToolDeps } from "./tool-deps.ts";

/** Offers the tool that tells the time and the date, here or at another place. */
export function offerTime(tool: OfferTool, deps: Pick<ToolDeps, "bus" | "profiles">): void {
  const findPlace = createPlaceFinder();
  tool(
    {
      name: "get_time",
      description: "Tells the current time and date, where the device is or in another city or country.",
      schema: z.object({
        place: z
          .string()
          .trim()
          .max(100)
          .optional()
          .describe(
            "City, region or country in English, such as Tokyo or Paris, Texas, or an IANA time zone. Leave it out for the device's own place.",
          ),
      }),
    },
    async ({ place = "" }, call) => {
      const { language: asked, timeZone: own } = placeOf(call, deps);
      const { phrases, language } = phrasesIn(asked);
      const found = place === "" ? ({ type: "zone", timeZone: own } as const) : await findPlace(place);
      if (found.type === "unknown") return phrases.unknownPlace(place);
      if (found.type === "ambiguous") return phrases.choosePlace(place, formatChoice(found.cities, language));
      const now = deps.bus.now();
      const { timeZone } = found;
      const date = formatDate(now, timeZone, language, { year: "numeric" });
      return phrases.time(formatTime(now, timeZone, language), date, place || undefined);
    },
  );
}
