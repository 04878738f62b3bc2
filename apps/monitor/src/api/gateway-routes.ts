import type { Bus } from "@voxbus/bus";
import type { PresenceView } from "@voxbus/presence";
import { busVersion, GatewayLease, subjects, type Command } from "@voxbus/protocol";
import type { Log } from "@voxbus/service";
import { z } from "zod";
import { Nothing } from "../http/device-id.ts";
import { ByGateway } from "../http/names.ts";
import { Problem } from "../http/problems.ts";
import { requireBus } from "./require.ts";
import { route, type Route } from "../http/route.ts";

/** The routes about gateways: who is there, and draining one. */
export function createGatewayRoutes(parts: {
  readonly bus: Bus;
  readonly presence: PresenceView;
  readonly log: Log;
}): readonly Route[] {
  const { bus, presence, log } = parts;
  return [
    route({
      method: "GET",
      path: "/api/gateways",
      summary: "Gateways whose lease lives",
      params: Nothing,
      query: Nothing,
      status: 200,
      answer: z.object({ gateways: z.array(GatewayLease) }),
      problems: [],
      handle: () => ({ gateways: [...presence.gateways()] }),
    }),
    route({
      method: "POST",
      path: "/api/gateways/:id/drain",
      summary: "Has a gateway let what is said finish, send its devices elsewhere, and stop",
      params: ByGateway,
      query: Nothing,
      status: 202,
      answer: z.object({ gateway: z.string(), connections: z.number().int().describe("that it held last") }),
      problems: ["bad-name", "gateway-gone", "bus-away"],
      handle: async ({ params: { id } }) => {
        const found = presence.gateways().find((gateway) => gateway.id === id);
        if (!found) throw new Problem("gateway-gone", `${id} has no lease`);
        requireBus(bus);
        bus.publish(subjects.command(id), { v: busVersion, body: { type: "drain" } } satisfies Command);
        await bus.flush();
        log.info({ gateway: id }, "drain requested");
        return { gateway: id, connections: found.load.connections };
      },
    }),
  ];
}
