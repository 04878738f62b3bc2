import { z } from "zod";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { mapChannels, type Services } from "../measurements/services.ts";

const names = z.array(z.string()).readonly();

const ProgramShown = z.object({
  name: z.string(),
  versions: names.describe("of its processes; empty if they tell none"),
  instances: z.number().int().describe("processes that answered in the last 35 s"),
  owner: z.string().optional().describe("whom to ask about it"),
  link: z.string().optional().describe("its page or source"),
  consumes: names.describe("channels that it has subscribed to"),
  produces: names.describe("channels that it has published on"),
  tools: names.describe("tools that it offers"),
});

const ChannelShown = z.object({
  channel: z.string().describe("as in docs/bus.md, subjects"),
  from: names.describe("programs that publish on it"),
  to: names.describe("programs that listen to it"),
});

/** Adds the route of the programs, and of who listens to whom. */
export function addServiceRoutes(app: App, services: Pick<Services, "list">): void {
  addRoute(app, "get", "/api/services", {
    summary: "The programs on the bus as they describe themselves, and who listens to whom",
    answer: z.object({ programs: z.array(ProgramShown).readonly(), channels: z.array(ChannelShown).readonly() }),
    problems: [],
    handle: () => {
      const programs = services.list();
      return { programs, channels: mapChannels(programs) };
    },
  });
}
