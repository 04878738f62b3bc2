import type { Bus } from "@voxbus/bus";
import type { PresenceView } from "@voxbus/presence";
import { z } from "zod";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { requireBus } from "./require.ts";

const Health = z.object({
  status: z.literal("ok"),
  devices: z.number().int(),
  gateways: z.number().int(),
  rtt: z.number().describe("ms of the last round trip to NATS"),
});

/** Adds the route of the monitor's own health. */
export function addHealthRoute(
  app: App,
  { bus, presence }: { readonly bus: Bus; readonly presence: PresenceView },
): void {
  addRoute(app, "get", "/api/health", {
    summary: "Whether the monitor sees the bus",
    answer: Health,
    problems: ["bus-away"],
    handle: () => {
      requireBus(bus);
      const devices = [...presence.devices()].length;
      return { status: "ok" as const, devices, gateways: presence.gateways().length, rtt: bus.stats().rtt };
    },
  });
}
