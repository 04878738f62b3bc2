import type { Bus } from "@voxbus/bus";
import { buckets, DeviceRecord } from "@voxbus/protocol";
import { z } from "zod";
import { ByDevice } from "../http/params.ts";
import { Problem } from "../http/problems.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { requireBus } from "./require.ts";

/** Adds the route of a device's record, online or not. */
export function addDeviceDataRoutes(app: App, { bus }: { readonly bus: Bus }): void {
  addRoute(app, "get", "/api/devices/{id}/record", {
    summary: "When a device was last seen, why it left, and how long it was online in all",
    params: ByDevice,
    answer: DeviceRecord.extend({ id: z.string() }),
    problems: ["bad-device-id", "device-unknown", "bus-away"],
    handle: async ({ params: { id } }) => {
      requireBus(bus);
      const record = (await bus.bucket(buckets.devices).get(id))?.value;
      if (!record) throw new Problem("device-unknown", `there is no record of ${id}`);
      return { id, ...record };
    },
  });
}
