import { z } from "zod";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { sayBottleneck } from "../measurements/bottleneck.ts";
import { Bottleneck, Capacity, ProgramPool, Score } from "../measurements/load-view.ts";
import type { SystemLoad } from "../measurements/load.ts";

/** Adds the routes that show the pools, and how much more the system can carry. */
export function addLoadRoutes(
  app: App,
  {
    readLoad,
    thresholds,
  }: { readonly readLoad: () => SystemLoad; readonly thresholds: Readonly<Record<string, number>> },
): void {
  addRoute(app, "get", "/api/pools", {
    summary: "Every pool of work with its numbers by priority: of each program, and of each of its processes",
    answer: z.object({
      pools: z.array(ProgramPool),
      thresholds: z.record(z.string(), z.number()).describe("values that raise the alerts of these names"),
    }),
    problems: [],
    handle: () => {
      const ofPools = Object.entries(thresholds).filter(([name]) => name.startsWith("pool-"));
      return { pools: [...readLoad().pools], thresholds: Object.fromEntries(ofPools) };
    },
  });

  addRoute(app, "get", "/api/capacity", {
    summary: "How many more talking devices the running processes can carry, the bottleneck, and the score",
    answer: z.object({
      capacity: Capacity,
      bottleneck: Bottleneck.extend({ sentence: z.string() }).optional(),
      score: Score.optional().describe("absent without a turn in the last 5 minutes"),
    }),
    problems: [],
    handle: () => {
      const { capacity, bottleneck, score } = readLoad();
      const said = bottleneck && { bottleneck: { ...bottleneck, sentence: sayBottleneck(bottleneck) } };
      return { capacity, ...said, ...(score ? { score } : {}) };
    },
  });
}
