import type { Bus } from "@voxbus/bus";
import type { PresenceView } from "@voxbus/presence";
import { channels, type Command, GatewayLease } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { z } from "zod";
import { ByGateway } from "../http/params.ts";
import { Problem } from "../http/problems.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { requireBus } from "./require.ts";

/** Adds the routes about gateways: the list of those that live, and draining one. */
export function addGatewayRoutes(
  app: App,
  parts: { readonly bus: Bus; readonly presence: PresenceView; readonly log: Log },
): void {
  const { bus, presence, log } = parts;
  addRoute(app, "get", "/api/gateways", {
    summary: "Gateways whose lease lives",
    answer: z.object({ gateways: z.array(GatewayLease) }),
    problems: [],
    handle: () => ({ gateways: [...presence.gateways()] }),
  });

  addRoute(app, "post", "/api/gateways/{id}/drain", {
    scope: "admin",
    summary: "Has a gateway let what is said finish, send its devices elsewhere, and stop",
    params: ByGateway,
    answer: z.object({
      gateway: z.string(),
      connections: z.number().int().describe("number of its connections at its last report"),
    }),
    problems: ["bad-name", "gateway-gone", "bus-away"],
    handle: async ({ params: { id } }) => {
      const found = presence.gateways().find((gateway) => gateway.id === id);
      if (!found) throw new Problem("gateway-gone", `${id} has no lease`);
      requireBus(bus);
      bus.publish(channels.command(id), { body: { type: "drain" } } satisfies Command);
      await bus.flush();
      log.info({ gateway: id }, "drain requested");
      return { gateway: id, connections: found.load.connections };
    },
  });
}
