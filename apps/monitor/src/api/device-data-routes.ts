import type { Bus } from "@voxbus/bus";
import { deviceKey, DeviceRecord } from "@voxbus/protocol";
import type { Log } from "@voxbus/service";
import { z } from "zod";
import { ById, Nothing } from "../http/device-id.ts";
import { Problem } from "../http/problems.ts";
import { requireBus } from "./require.ts";
import { route, type Route } from "../http/route.ts";

/** The routes about what is kept of a device, online or not: its record, and what was said with it. */
export function createDeviceDataRoutes({ bus, log }: { readonly bus: Bus; readonly log: Log }): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/api/devices/:id/record",
      summary: "When a device was last seen, why it left, and how long it was online in all",
      params: ById,
      query: Nothing,
      status: 200,
      answer: DeviceRecord.extend({ id: z.string() }),
      problems: ["bad-device-id", "device-unknown", "bus-away"],
      handle: async ({ params: { id } }) => {
        requireBus(bus);
        const record = DeviceRecord.safeParse((await bus.bucket("devices").get(deviceKey(id)))?.value).data;
        if (!record) throw new Problem("device-unknown", `there is no record of ${id}`);
        return { id, ...record };
      },
    }),
    route({
      method: "DELETE",
      path: "/api/devices/:id/dialogue",
      summary: "Erases what was said with a device; what is being said now is kept again",
      params: ById,
      query: Nothing,
      status: 200,
      answer: z.object({ id: z.string(), erased: z.boolean().describe("false: there was nothing") }),
      problems: ["bad-device-id", "bus-away"],
      handle: async ({ params: { id } }) => {
        requireBus(bus);
        const bucket = bus.bucket("dialogues");
        const erased = (await bucket.get(deviceKey(id))) !== undefined;
        if (erased) await bucket.remove(deviceKey(id));
        log.info({ device: id, erased }, "dialogue erased");
        return { id, erased };
      },
    }),
  ];
}
