import { channels } from "@voxbus/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestHub, type TestHub } from "../test-hub.ts";

let hub: TestHub;
beforeAll(async () => {
  hub = await openTestHub();
});
afterAll(() => hub.close());

test("groups: a frame for a group reaches the devices that have it as their first or as a further group, and no other", async () => {
  hub.profiles.set("first", { group: "hall" });
  hub.profiles.set("further", { group: "attic", groups: ["cellar", "hall"] });
  hub.profiles.set("other", { groups: ["cellar"] });
  const devices = await Promise.all(["first", "further", "other", "without"].map((id) => hub.connect(id)));
  const alert = { type: "alert" as const, status: "hall", message: "for the hall", emotion: "neutral" as const };
  hub.bus.publish(channels.groupOut("hall"), { kind: "text", body: alert });
  hub.bus.publish(channels.fleetOut(), { kind: "text", body: { ...alert, status: "all" } });
  const reached = devices.map(async (device) => {
    await device.next(({ status }) => status === "all");
    return device.received.some((item) => "json" in item && item.json["status"] === "hall");
  });
  expect(await Promise.all(reached)).toEqual([true, true, false, false]);
});
