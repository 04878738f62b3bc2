import type { z } from "zod";
import type { Closer } from "@voxbus/bus";
import { createRegistry, type Registry } from "@voxbus/presence";
import { buckets, type Channel, channels, stored, type Receipt } from "@voxbus/protocol";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { startTestMonitor, type TestMonitor } from "../test-monitor.ts";

let my: TestMonitor;
const registries: Registry[] = [];
const closers: Closer[] = [];
beforeAll(async () => {
  my = await startTestMonitor();
});
afterEach(async () => {
  for (const closer of closers.splice(0)) closer.close();
  for (const registry of registries.splice(0)) await registry.close();
});
afterAll(() => my?.stop());

let epochs = 0;
async function openGateway(id: string, devices: readonly string[] = []): Promise<Registry> {
  const load = () => ({ connections: devices.length, speaking: 0 });
  const registry = await createRegistry(my.bus, { id, epoch: `e${++epochs}`, address: "", load });
  registries.push(registry);
  for (const device of devices) {
    const presence = {
      session: `s-${device}`,
      since: 0,
      remote: "",
      protocol: 1,
      features: {},
      state: "active" as const,
    };
    await registry.enter(device, presence, AbortSignal.timeout(5000));
  }
  return registry;
}

const idsOf = (body: Record<string, any>) => (body["devices"] as { id: string }[]).map(({ id }) => id);
const shown = (ids: readonly string[], query = "") =>
  vi.waitFor(async () => expect(idsOf((await my.ask("GET", `/api/devices${query}`)).body)).toEqual(ids), 5000);

/** Everything that comes on a subject from now on. */
async function hear<S extends z.ZodType>(channel: Channel<S>): Promise<[string, z.infer<S>][]> {
  const heard: [string, z.infer<S>][] = [];
  my.bus.subscribe(channel, (message, { subject }) => void heard.push([subject, message]));
  await my.bus.flush();
  return heard;
}

test("devices: are found by the beginning of their ids, in upper or lower case, and by their group", async () => {
  await openGateway("g1", ["Kitchen-1", "kitchen-2", "hall"]);
  await my.bus.bucket(buckets.profiles).put("hall", { group: "ground" });
  await my.bus.bucket(buckets.profiles).put("kitchen-2", { group: "rear", groups: ["ground"] });
  await shown(["Kitchen-1", "kitchen-2"], "?prefix=KITCHEN");
  await shown(["hall", "kitchen-2"], "?group=ground");
  await shown(["kitchen-2"], "?group=ground&prefix=k");
  await shown([], "?group=none");
});

test("text and control: are sent to one device in its open session", async () => {
  await openGateway("g1", ["d1"]);
  await shown(["d1"]);
  const heard = await hear(channels.out("d1"));
  const text = await my.ask("POST", "/api/devices/d1/text", { message: { type: "alert", message: "Dinner" } });
  expect(text).toEqual({ status: 202, body: { session: "s-d1", gateway: "g1" } });
  const control = await my.ask("POST", "/api/devices/d1/control", { message: { type: "system", command: "reboot" } });
  expect(control.status).toBe(202);
  await vi.waitFor(() => expect(heard).toHaveLength(2));
  const body = { type: "alert", status: "Message", message: "Dinner", emotion: "neutral" };
  expect(heard[0]?.[1]).toEqual({ kind: "text", session: "s-d1", body });
  expect(heard[1]?.[1].body).toEqual({ type: "system", command: "reboot" });
  expect((await my.ask("POST", "/api/devices/nobody/text", { message: { type: "alert", message: "x" } })).status).toBe(
    404,
  );
});

/** A device that is idle over MQTT, and how its gateway reports that it takes what it is sent. */
async function openIdle(registry: Registry, id: string, result: Receipt["result"]): Promise<void> {
  const idle = { session: "s1", since: 0, remote: "", protocol: 1, features: { mcp: true }, state: "idle" as const };
  await registry.enter(id, { ...idle, audio: "closed" }, AbortSignal.timeout(5000));
  await shown([id], `?audio=closed&prefix=${id}`);
  const report = (reply: string | undefined) => {
    const event = { session: "s1", at: 0, gateway: "g1", ...(reply !== undefined && { receipt: { reply, result } }) };
    my.bus.publish(channels.event(id), event);
  };
  for (const channel of [channels.out(id), channels.fleetOut(), stored(channels.sayOpen(id))])
    closers.push(
      my.bus.subscribe<z.ZodType<{ readonly reply?: string | undefined }>>(channel, ({ reply }) => report(reply)),
    );
  await my.bus.flush();
}

test.each(["delivered", "unanswered"] as const)(
  "text and control: of an idle device, the answer tells the receipt: %s",
  async (result) => {
    const registry = await openGateway("g1");
    await openIdle(registry, `asleep-${result}`, result);
    const alert = { message: { type: "alert", message: "Dinner" } };
    const reboot = { message: { type: "system", command: "reboot" } };
    for (const [path, message] of [
      ["text", alert],
      ["control", reboot],
    ] as const) {
      const answer = await my.ask("POST", `/api/devices/asleep-${result}/${path}`, message);
      expect(answer.body).toEqual({ session: "s1", gateway: "g1", receipt: result });
    }
  },
);

test("receipts: are found by the id of an announcement or a message, at any monitor, until all are in", async () => {
  const registry = await openGateway("g1", ["awake"]);
  await openIdle(registry, "asleep", "delivered");
  await openIdle(registry, "gone", "expired");
  await shown(["asleep", "awake", "gone"]);
  const other = await my.another();
  const read = async (url: string, reply: unknown) => {
    const response = await fetch(`${url}/api/receipts/${String(reply)}?wait=5s`);
    return (await response.json()) as Record<string, unknown>;
  };
  const asleep = { device: "asleep", result: "delivered" };
  const gone = { device: "gone", result: "expired" };
  const shownTo = await my.ask("POST", "/api/fleet/text", { message: { type: "alert", message: "Dinner" } });
  expect(await read(my.url, shownTo.body["reply"])).toEqual({
    id: shownTo.body["reply"],
    counts: { delivered: 1, expired: 1, sent: 1 },
    devices: expect.arrayContaining([asleep, gone, { device: "awake", result: "sent" }]) as unknown,
  });
  const one = await my.ask("POST", "/api/devices/asleep/say", { text: "Dinner is ready." });
  for (const url of [my.url, other.addresses["monitor"]!.replace(/\/$/, "")])
    expect((await read(url, one.body["reply"]))["devices"]).toEqual([asleep]);
  const many = await my.ask("POST", "/api/fleet/say", { text: "Dinner is ready." });
  const path = `/api/receipts/${many.body["reply"]}`;
  await vi.waitFor(
    async () =>
      expect((await my.ask("GET", path)).body["counts"]).toMatchObject({ delivered: 1, expired: 1, waiting: 1 }),
    5000,
  );
  expect((await my.ask("GET", `${path}?result=expired&limit=1`)).body["devices"]).toEqual([gone]);
  expect(await my.ask("GET", "/api/receipts/never")).toMatchObject({
    status: 404,
    body: { type: "/problems/receipt-unknown" },
  });
  expect(await my.ask("GET", `${path}?wait=61s`)).toMatchObject({ status: 400, body: { type: "/problems/bad-field" } });
  await other.stop("quick");
});

test.each([
  ["text", { message: { type: "tts", state: "stop" } }],
  ["text", { message: { type: "alert", message: "x".repeat(8100) } }],
  ["control", { message: { type: "alert", message: "x" } }],
  ["control", { message: { type: "mcp", payload: {} } }],
])("%s: a message of another kind, or too long for a device, is refused", async (kind, body) => {
  expect(await my.ask("POST", `/api/fleet/${kind}`, body)).toMatchObject({
    status: 400,
    body: { type: "/problems/bad-field" },
  });
});

test("text and control: are sent to a group or to all, and the answer counts the gateways and devices reached", async () => {
  await openGateway("g1", ["d1", "d2"]);
  await openGateway("g2", ["d3"]);
  for (const id of ["d1", "d3"]) await my.bus.bucket(buckets.profiles).put(id, { group: "upstairs" });
  await shown(["d1", "d3"], "?group=upstairs");
  await shown(["d1", "d2", "d3"]);
  const heard = await hear({ ...channels.fleetOut(), subject: "fleet.>" });
  const message = { type: "custom", payload: { light: "on" } };
  expect(await my.ask("POST", "/api/groups/upstairs/text", { message })).toEqual({
    status: 202,
    body: { reply: expect.any(String), gateways: 2, devices: 2 },
  });
  expect(await my.ask("POST", "/api/fleet/text", { message })).toEqual({
    status: 202,
    body: { reply: expect.any(String), gateways: 2, devices: 3 },
  });
  const command = { message: { type: "system", command: "reboot" } };
  expect((await my.ask("POST", "/api/groups/upstairs/control", command)).status).toBe(202);
  expect((await my.ask("POST", "/api/fleet/control", command)).status).toBe(202);
  await vi.waitFor(() => expect(heard).toHaveLength(4));
  expect(heard.map(([subject]) => subject)).toEqual([
    "fleet.upstairs.out",
    "fleet.out",
    "fleet.upstairs.out",
    "fleet.out",
  ]);
  expect(await my.ask("POST", "/api/groups/a.b/text", { message })).toMatchObject({
    status: 400,
    body: { type: "/problems/bad-name" },
  });
});

test("say: reaches each online device of a group or of all once, one list at a time", async () => {
  const ids = Array.from({ length: 25 }, (_, index) => `say-${String(index).padStart(2, "0")}`);
  await openGateway("g1", ids);
  await my.bus.bucket(buckets.profiles).put("say-07", { group: "seven" });
  await shown(ids);
  await shown(["say-07"], "?group=seven");
  const heard = await hear(stored(channels.sayOpen("*")));
  const all = await my.ask("POST", "/api/fleet/say", { text: "Dinner is ready." });
  expect(all).toEqual({ status: 202, body: { reply: expect.any(String), devices: 25, seconds: 1 } });
  expect(await my.ask("POST", "/api/fleet/say", { text: "Again." })).toMatchObject({
    status: 409,
    body: { type: "/problems/busy" },
  });
  await vi.waitFor(() => expect(heard).toHaveLength(25), 5000);
  expect(heard.map(([subject]) => subject).toSorted()).toEqual(
    ids.map((id) => stored(channels.sayOpen(id)).subject).toSorted(),
  );
  expect(new Set(heard.map(([, { reply }]) => reply)).size).toBe(25);
  await vi.waitFor(async () => {
    const group = await my.ask("POST", "/api/groups/seven/say", { text: "Only you." });
    expect(group).toEqual({ status: 202, body: { reply: expect.any(String), devices: 1, seconds: 1 } });
  }, 5000);
  await vi.waitFor(() => expect(heard.at(-1)?.[1].text).toBe("Only you."), 5000);
  expect(heard).toHaveLength(26);
});

test("say with keep: is kept for each device of a group or of all that was ever here, but not for disabled ones", async () => {
  const seen = { lastSeen: 5, lastReason: "done", totalOnline: 7 };
  const grouped = ["away-1", "away-off", "never-here"];
  for (const id of ["away-1", "away-2", "away-off"]) await my.bus.bucket(buckets.devices).put(id, seen);
  for (const id of grouped)
    await my.bus.bucket(buckets.registry).put(id, { since: 1, name: id, allowed: id !== "away-off" });
  for (const id of grouped) await my.bus.bucket(buckets.profiles).put(id, { group: "away" });
  await openGateway("g1", ["here"]);
  await shown(["here"]);
  await vi.waitFor(async () => {
    const { devices } = (await my.ask("GET", "/api/registry?group=away")).body;
    expect(devices.map(({ name }: { name?: string }) => name)).toEqual(grouped);
  }, 5000);
  const heard = await hear(stored(channels.sayOpen("*")));
  const subjectOf = (id: string) => stored(channels.sayOpen(id)).subject;
  const say = (path: string, keep: string) => my.ask("POST", `/api/${path}/say?keep=${keep}`, { text: "Dinner." });
  await vi.waitFor(async () => expect((await say("groups/away", "1h")).body).toEqual({ devices: 1, seconds: 1 }), 5000);
  await vi.waitFor(() => expect(heard).toMatchObject([[subjectOf("away-1"), { keepMs: 3_600_000 }]]), 5000);
  await vi.waitFor(async () => expect((await say("fleet", "1d")).status).toBe(202), 5000);
  const addressed = () => heard.map(([subject]) => subject);
  const others = ["here", "away-2"].map(subjectOf);
  await vi.waitFor(() => expect(addressed()).toEqual(expect.arrayContaining(others)), 5000);
  for (const id of ["away-off", "never-here"]) expect(addressed()).not.toContain(subjectOf(id));
  expect(await say("fleet", "8d")).toMatchObject({ status: 400, body: { errors: [{ field: "keep" }] } });
});

test("gateways: a drain is sent to a gateway with a lease, and refused without one", async () => {
  await openGateway("g1", ["d1"]);
  const heard = await hear(channels.command("g1"));
  await vi.waitFor(async () => {
    const { status, body } = await my.ask("POST", "/api/gateways/g1/drain");
    expect({ status, body }).toEqual({ status: 202, body: { gateway: "g1", connections: 1 } });
  });
  await vi.waitFor(() => expect(heard).not.toHaveLength(0));
  expect(heard[0]?.[1].body).toEqual({ type: "drain" });
  expect(await my.ask("POST", "/api/gateways/g9/drain")).toMatchObject({
    status: 404,
    body: { type: "/problems/gateway-gone" },
  });
});

test("record and dialogue: the record is shown, and the dialogue is erased", async () => {
  const record = { lastSeen: 5, lastReason: "done", totalOnline: 7 };
  await my.bus.bucket(buckets.devices).put("aa:bb:cc:dd:ee:ff", record);
  expect(await my.ask("GET", "/api/devices/AA:BB:CC:DD:EE:FF/record")).toEqual({
    status: 200,
    body: { id: "aa:bb:cc:dd:ee:ff", ...record },
  });
  expect(await my.ask("GET", "/api/devices/nobody/record")).toMatchObject({
    status: 404,
    body: { type: "/problems/device-unknown" },
  });
  await my.bus.bucket(buckets.dialogues).put("d1", { messages: [{ role: "user", text: "hello", at: 1 }] });
  expect((await my.ask("DELETE", "/api/devices/d1/dialogue")).body).toEqual({ id: "d1", erased: true });
  expect(await my.bus.bucket(buckets.dialogues).get("d1")).toBeUndefined();
  expect((await my.ask("DELETE", "/api/devices/d1/dialogue")).body).toEqual({ id: "d1", erased: false });
});
