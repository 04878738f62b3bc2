import { createRegistry, type Registry } from "@voxbus/presence";
import { buckets, channels, trialProfile, type DeviceRecord } from "@voxbus/protocol";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { startTestMonitor, type TestMonitor } from "../test-monitor.ts";

let my: TestMonitor;
let gateway: Registry;

beforeAll(async () => {
  my = await startTestMonitor();
  const load = () => ({ connections: 0, speaking: 0 });
  gateway = await createRegistry(my.bus, { id: "g1", epoch: "e1", address: "", load });
});
afterAll(async () => {
  await gateway?.close();
  await my?.stop();
});

const enter = (id: string) => {
  const open = { session: `s-${id}`, since: 5, remote: "", protocol: 1, features: {}, state: "active" as const };
  return gateway.enter(id, open, AbortSignal.timeout(5000));
};
const record = (id: string, more: Partial<DeviceRecord> = {}) =>
  my.bus.bucket(buckets.devices).put(id, { lastSeen: 1000, lastReason: "gone", totalOnline: 7, ...more });
const get = async (id: string) => (await my.ask("GET", `/api/registry/${id}`)).body;
const list = async (query: string) => {
  const { body } = await my.ask("GET", `/api/registry?${query}`);
  const ids = (body["devices"] as { id: string }[] | undefined)?.map(({ id }) => id);
  return { ids, total: body["total"] as number, next: body["next"] as string | undefined };
};
const send = async (path: string, type: string, body: string) => {
  const response = await fetch(my.url + path, { method: "PATCH", headers: { "content-type": type }, body });
  return { status: response.status, body: (await response.json()) as Record<string, any> };
};

test("registry: lists devices that are registered, were seen, or are online, with what is known of each", async () => {
  await record("ever-1", { firstSeen: 10, firmware: "2.4.2", board: "lamp" });
  await record("asked-1", { lastSeen: 0, lastReason: "", totalOnline: 0, firmware: "1.0" });
  await enter("ever-2");
  const change = { name: "  Kitchen ", group: "ground", allowed: false, note: "by the oven" };
  expect((await my.ask("PATCH", "/api/registry/EVER-3", change)).status).toBe(200);
  await vi.waitFor(async () => expect((await list("prefix=ever")).ids).toEqual(["EVER-3", "ever-1", "ever-2"]));
  expect(await get("ever-1")).toEqual({
    id: "ever-1",
    registered: false,
    state: "offline",
    firstSeen: 10,
    lastSeen: 1000,
    lastReason: "gone",
    totalOnline: 7,
    firmware: "2.4.2",
    board: "lamp",
  });
  expect(await get("ever-2")).toMatchObject({ registered: false, state: "active", gateway: "g1", since: 5 });
  expect(await get("EVER-3")).toEqual({ id: "EVER-3", registered: true, ...change, name: "Kitchen", state: "offline" });
  expect(await get("asked-1")).not.toHaveProperty("lastSeen");
  expect(await get("nobody")).toMatchObject({ type: "/problems/device-unknown" });
  expect((await list("state=online")).ids).toEqual(["ever-2"]);
  expect((await list("state=disabled")).ids).toEqual(["EVER-3"]);
  expect((await list("group=ground")).ids).toEqual(["EVER-3"]);
  expect((await list("prefix=kitch")).ids).toEqual(["EVER-3"]);
  const first = await list("prefix=ever&limit=2");
  expect(first).toEqual({ ids: ["EVER-3", "ever-1"], total: 3, next: "ever-1" });
  expect(await list(`prefix=ever&limit=2&after=${first.next}`)).toEqual({ ids: ["ever-2"], total: 3, next: undefined });
});

test("registry: an entry that does not decode, or whose key is no device id, is left out, and can be replaced", async () => {
  const registry = my.bus.bucket(buckets.registry);
  await registry.put("odd-1", { since: "yesterday" } as never);
  await registry.put("odd.2", { since: 1 });
  await registry.put("odd-3", { since: 1, name: "Hall" });
  await vi.waitFor(async () => expect((await list("prefix=odd")).ids).toEqual(["odd-3"]));
  expect((await my.ask("PATCH", "/api/registry/odd-1", { allowed: false })).status).toBe(200);
  await vi.waitFor(async () => expect(await get("odd-1")).toMatchObject({ allowed: false }));
});

test("change: touches the fields that it names alone, and the group stands in the profile", async () => {
  await my.bus.bucket(buckets.profiles).put("shelf", { voice: "slt", group: "old" });
  await my.ask("PATCH", "/api/registry/shelf", { name: "Shelf", group: "new", allowed: true });
  await my.ask("PATCH", "/api/registry/shelf", { allowed: null, note: "n" });
  const stored = (await my.bus.bucket(buckets.registry).get("shelf"))!;
  expect(stored.value).toEqual({ since: expect.any(Number) as number, name: "Shelf", note: "n" });
  expect((await my.bus.bucket(buckets.profiles).get("shelf"))?.value?.own).toEqual({ voice: "slt", group: "new" });
  await my.ask("PATCH", "/api/registry/shelf", { group: null, note: "n" });
  expect((await my.bus.bucket(buckets.profiles).get("shelf"))?.value?.own).toEqual({ voice: "slt" });
  expect((await my.bus.bucket(buckets.registry).get("shelf"))?.revision).toBe(stored.revision);
});

test.each([
  [{ name: "" }, "name"],
  [{ name: "a\nb" }, "name"],
  [{ name: "n".repeat(65) }, "name"],
  [{ group: "a.b" }, "group"],
  [{ allowed: "yes" }, "allowed"],
  [{ note: "n".repeat(1025) }, "note"],
  [{ tokens: [] }, "tokens"],
])("change: %.30j is refused, and the field is named", async (change, field) => {
  const { status, body } = await my.ask("PATCH", "/api/registry/refused", change);
  expect([status, body["errors"][0].field]).toEqual([400, field]);
  expect(await my.bus.bucket(buckets.registry).get("refused")).toBeUndefined();
});

test("removal: closes the session, and leaves nothing of the device in any bucket or stream, and others alone", async () => {
  const { bus } = my;
  const turn = (session: string) => ({ session, origin: 1, at: 1, user: "hello" });
  const codeOf = (id: string) => (id === "leaves" ? "123456" : "654321");
  const fill = async (id: string) => {
    await enter(id);
    await record(id, { session: `s-${id}` });
    await bus.bucket(buckets.registry).put(id, { since: 1, name: id });
    await bus.bucket(buckets.profiles).put(id, { voice: "slt" });
    await bus.bucket(buckets.profiles).put(trialProfile(id), { voice: "kal", until: bus.now() + 60_000 });
    const token = { hash: "h".repeat(43), renewAt: 5, until: 6 };
    await bus
      .bucket(buckets.activations)
      .put(codeOf(id), { device: id, token, challenge: "c", remote: "", at: bus.now() });
    await bus.bucket(buckets.dialogues).put(id, { messages: [], turns: [turn(`t-${id}`)] });
    await bus.bucket(buckets.reminders).put(`${id}.s-1-0`, { device: id, dueAt: 1 });
    await bus.bucket(buckets.tools).put(`t-${id}`, []);
    await bus.bucket(buckets.toolCalls).put(`t-${id}.1.0`, { name: "lamp", args: "{}" });
    const heard = { session: `s-${id}`, listen: 1, utterance: 1, from: 1, origin: 1, text: "hello", language: "en" };
    await bus.store(channels.heard(id), heard);
  };
  const count = async (id: string) => {
    const entries = [
      bus.bucket(buckets.registry).get(id),
      bus.bucket(buckets.presence).get(id),
      bus.bucket(buckets.profiles).get(id),
      bus.bucket(buckets.profiles).get(trialProfile(id)),
      bus.bucket(buckets.activations).get(codeOf(id)),
      bus.bucket(buckets.dialogues).get(id),
      bus.bucket(buckets.devices).get(id),
      bus.bucket(buckets.reminders).get(`${id}.s-1-0`),
      bus.bucket(buckets.tools).get(`t-${id}`),
      bus.bucket(buckets.toolCalls).get(`t-${id}.1.0`),
    ];
    const found = (await Promise.all(entries)).filter((entry) => entry !== undefined);
    return [found.length, (await bus.stored(channels.heard(id), 10)).newest];
  };
  await Promise.all([fill("leaves"), fill("leaves-not")]);
  const commands = bus.subscribe(channels.command("g1"), ({ body }) => {
    if (body.type === "disconnect") void gateway.leave(body.device, body.session);
  });
  onTestFinished(() => commands.close());
  await bus.flush();
  await vi.waitFor(async () => {
    expect(await get("leaves")).toMatchObject({ state: "active" });
    expect((await my.ask("GET", "/api/activations")).body["waiting"]).toHaveLength(2);
  });
  const { status, body } = await my.ask("DELETE", "/api/registry/leaves");
  expect(status).toBe(200);
  const removed = { registry: 1, presence: 0, profiles: 1, reminders: 1, dialogues: 1, devices: 1 };
  expect(body["removed"]).toMatchObject({ ...removed, tools: 1, "tool-calls": 1, activations: 1 });
  expect(await count("leaves")).toEqual([0, 0]);
  expect((await count("leaves-not"))[0]).toBe(10);
  expect((await count("leaves-not"))[1]).toBeGreaterThan(0);
  await vi.waitFor(async () => expect(await get("leaves")).toMatchObject({ type: "/problems/device-unknown" }));
});

test("files: an import registers and changes devices, and an export gives them back", async () => {
  const csv = "id,name,group,allowed,note\r\nfile-1,One,hall,true,\r\nFILE-2,,,,\r\n";
  expect(await send("/api/registry.csv", "text/csv; charset=utf-8", csv)).toEqual({
    status: 200,
    body: { devices: 2 },
  });
  const lines = '{"id":"file-1","note":"from a line"}\n';
  expect((await send("/api/registry.jsonl", "application/x-ndjson", lines)).status).toBe(200);
  await vi.waitFor(async () =>
    expect(await get("file-1")).toMatchObject({ name: "One", group: "hall", allowed: true, note: "from a line" }),
  );
  const trial = { fields: { group: "tried" } };
  expect((await my.ask("POST", "/api/profiles/devices/file-1/trial", trial)).status).toBe(202);
  // The monitor knows the trial when it knows the profile that is written after it.
  await my.ask("PATCH", "/api/registry/mark", { group: "mark" });
  await vi.waitFor(async () => expect((await list("group=mark")).ids).toEqual(["mark"]));
  const exported = await (await fetch(`${my.url}/api/registry.csv`)).text();
  expect(exported).toContain("file-1,One,hall,true,from a line,offline,");
  expect(exported).toContain("FILE-2,,,,,offline,");
  const before = await my.bus.bucket(buckets.registry).get("file-1");
  expect((await send("/api/registry.csv", "text/csv", exported)).status).toBe(200);
  expect(await my.bus.bucket(buckets.registry).get("file-1")).toEqual(before);
});

test("files: one bad row, and nothing of the file is imported", async () => {
  const { status, body } = await send("/api/registry.csv", "text/csv", "id,group\nbad-1,hall\nbad-2,a.b\n");
  expect([status, body["errors"]]).toEqual([
    400,
    [{ field: "row 3, group", message: "must be 1 to 64 characters of A-Z a-z 0-9 _ -" }],
  ]);
  expect(body["detail"]).toMatch(/^nothing was imported: row 3, group: /);
  expect(await my.bus.bucket(buckets.registry).get("bad-1")).toBeUndefined();
});

test.each([
  ["application/json", "id\na\n", 415],
  ["text/csv", "i".repeat(8_388_609), 413],
  ["text/csv", Buffer.from([0x69, 0x64, 0x0a, 0xff]).toString("latin1"), 400],
])("files: a body of %s is refused", async (type, body, status) => {
  const bytes = Buffer.from(body, "latin1");
  const headers = { "content-type": type };
  const response = await fetch(`${my.url}/api/registry.csv`, { method: "PATCH", headers, body: bytes });
  expect(response.status).toBe(status);
});

test("files: an import that finds the bucket full tells how far it came", async () => {
  const full = await startTestMonitor({ VOXBUS_BUCKETS_MB: "16" });
  onTestFinished(() => full.stop());
  const rows = Array.from({ length: 3000 }, (_, n) => `full-${n},${"n".repeat(1000)}`);
  const response = await fetch(`${full.url}/api/registry.csv`, {
    method: "PATCH",
    headers: { "content-type": "text/csv" },
    body: `id,note\n${rows.join("\n")}\n`,
  });
  const { detail } = (await response.json()) as { readonly detail: string };
  expect([response.status, detail]).toEqual([
    507,
    expect.stringMatching(/^at least \d+ of 3000 devices were imported/),
  ]);
});
