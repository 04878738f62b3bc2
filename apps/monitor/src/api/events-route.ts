import { z } from "zod";
import { DeviceId } from "../http/device-id.ts";
import { streamEvents } from "../http/event-stream.ts";
import type { Live } from "../live/live-events.ts";
import { streamRoute, type Route } from "../http/route.ts";

/** The route of the event stream: of the fleet, or of one device. Its streams end with `signal`. */
export function createEventsRoute(live: Live, signal: AbortSignal): Route {
  return streamRoute({
    method: "GET",
    path: "/api/events",
    summary: "What happens now, as Server-Sent Events: devices and numbers, or the turns of one device",
    query: z.strictObject({ device: DeviceId.optional().describe("follow this device alone, closely") }),
    problems: ["bad-field"],
    handle: ({ query: { device } }) =>
      streamEvents((tell) => (device === undefined ? live.fleet(tell) : live.device(device, tell)), signal),
  });
}
