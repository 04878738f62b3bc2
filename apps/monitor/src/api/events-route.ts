import { z } from "zod";
import { streamEvents } from "../http/event-stream.ts";
import { DeviceId } from "../http/params.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import type { Live } from "../live/live-events.ts";

/** Adds the route of the event stream: of the fleet, or of one device. Its streams end with `signal`. */
export function addEventsRoute(app: App, live: Live, signal: AbortSignal): void {
  addRoute(app, "get", "/api/events", {
    summary: "What happens now, as Server-Sent Events: devices and numbers, or the turns of one device",
    query: z.strictObject({ device: DeviceId.optional().describe("follow only this device, with its turns") }),
    answer: z.string().describe("Server-Sent Events"),
    type: "text/event-stream",
    problems: ["bad-field"],
    handle: ({ query: { device }, context }) =>
      streamEvents(context, (send) => (device === undefined ? live.fleet(send) : live.device(device, send)), signal),
  });
}
