import { createRegistry } from "@voxbus/presence";
import { buckets } from "@voxbus/protocol";
import { maxWaiting } from "@voxbus/subscriber";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestMonitor, type TestMonitor } from "../test-monitor.ts";

let my: TestMonitor;
const seen = { lastSeen: 5, lastReason: "done", totalOnline: 7 };
beforeAll(async () => {
  my = await startTestMonitor();
  for (const id of ["away", "full", "other"]) await my.bus.bucket(buckets.devices).put(id, seen);
});
afterAll(() => my?.stop());

const say = (device: string, keep: string) =>
  my.ask("POST", `/api/devices/${device}/say?keep=${keep}`, { text: "Dinner" });

test("keep: an announcement for a device that is away is kept, and its state is shown without its text", async () => {
  const { status, body } = await say("away", "1h");
  expect({ status, state: body["state"], tries: body["tries"] }).toEqual({ status: 202, state: "waiting", tries: 0 });
  expect(body["expiresAt"] - body["at"]).toBe(3_600_000);
  const one = await my.ask("GET", `/api/devices/away/messages/${body["id"]}`);
  expect(one).toEqual({ status: 200, body });
  const all = await my.ask("GET", "/api/devices/away/messages");
  expect(all).toEqual({ status: 200, body: { messages: [body] } });
  expect(JSON.stringify(all.body)).not.toContain("Dinner");
  expect((await my.bus.bucket(buckets.kept).get("away"))?.value?.messages).toMatchObject([{ text: "Dinner" }]);
});

test("keep: the state of another device's announcement is not shown", async () => {
  const { body } = await say("away", "2d");
  expect(await my.ask("GET", `/api/devices/other/messages/${body["id"]}`)).toMatchObject({
    status: 404,
    body: { type: "/problems/message-unknown" },
  });
  expect(await my.ask("GET", "/api/devices/away/messages/a.b")).toMatchObject({
    status: 400,
    body: { type: "/problems/bad-name" },
  });
});

test.each(["1000y", "-1", "0s", "8d", "169h", "1", "h", "1h1m", "1e3s", "99999999s", "", "NaN"])(
  "keep: %s is refused by the name of its field",
  async (keep) => {
    expect(await say("away", keep)).toMatchObject({
      status: 400,
      body: { type: "/problems/bad-field", errors: [{ field: "keep" }] },
    });
  },
);

test("keep: nothing is kept for a device that was never seen", async () => {
  expect(await say("nobody", "1h")).toMatchObject({ status: 404, body: { type: "/problems/device-unknown" } });
  expect(await my.bus.bucket(buckets.kept).get("nobody")).toBeUndefined();
});

test("keep: at most 20 wait for one device, and one more is dropped by name", async () => {
  const dropped = () => my.bus.bucket(buckets.kept).get("full");
  for (let n = 0; n < maxWaiting; n += 1) expect((await say("full", "1h")).status).toBe(202);
  expect(await say("full", "1h")).toMatchObject({ status: 409, body: { type: "/problems/too-many-kept" } });
  expect((await dropped())?.value?.messages).toHaveLength(maxWaiting);
});

test("keep: without it, a device that is away is refused as before", async () => {
  expect(await my.ask("POST", "/api/devices/away/say", { text: "Dinner" })).toMatchObject({
    status: 404,
    body: { type: "/problems/device-offline" },
  });
});

test("keep: a device that is online needs no record", async () => {
  const load = () => ({ connections: 1, speaking: 0 });
  const registry = await createRegistry(my.bus, { id: "g1", epoch: "e1", address: "", load });
  const presence = { session: "s1", since: 0, remote: "", protocol: 1, features: {}, state: "active" as const };
  await registry.enter("fresh", presence, AbortSignal.timeout(5000));
  await expect.poll(async () => (await say("fresh", "1h")).status, { timeout: 5000 }).toBe(202);
  await registry.close();
});
