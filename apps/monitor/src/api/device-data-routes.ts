import type { Bus } from "@voxbus/bus";
import { buckets, DeviceRecord } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { z } from "zod";
import { ByDevice } from "../http/params.ts";
import { Problem } from "../http/problems.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { requireBus } from "./require.ts";

/** Adds the routes about what is kept of a device, online or not: its record, and its dialogue history. */
export function addDeviceDataRoutes(app: App, { bus, log }: { readonly bus: Bus; readonly log: Log }): void {
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

  addRoute(app, "delete", "/api/devices/{id}/dialogue", {
    summary: "Erases what was said with a device; what is being said now is kept again",
    params: ByDevice,
    answer: z.object({ id: z.string(), erased: z.boolean().describe("false: there was nothing to erase") }),
    problems: ["bad-device-id", "bus-away"],
    handle: async ({ params: { id } }) => {
      requireBus(bus);
      const bucket = bus.bucket(buckets.dialogues);
      const erased = (await bucket.get(id)) !== undefined;
      if (erased) await bucket.remove(id);
      log.info({ device: id, erased }, "dialogue erased");
      return { id, erased };
    },
  });
}
