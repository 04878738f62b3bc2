import { hashSecret, type Running } from "@voxbus/subscriber";
import { leave } from "@voxbus/testing";
import { buckets, type RegisteredDevice } from "@voxbus/protocol";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { openTestGateways, readStats, untilAway, type TestGateways } from "../test-gateways.ts";

let gateways: TestGateways;
let open: Running;
let hmac: Running;

beforeAll(async () => {
  gateways = await openTestGateways();
  open = await gateways.start({ VOXBUS_GATEWAY_ID: "open" });
  hmac = await gateways.start({ VOXBUS_GATEWAY_ID: "hmac", VOXBUS_AUTH: "hmac", VOXBUS_AUTH_KEY: "k".repeat(16) });
});
afterEach(() => gateways.leaveAll());
afterAll(() => gateways.stop());

const register = (id: string, device: Partial<RegisteredDevice>) =>
  gateways.bus.bucket(buckets.registry).put(id, { since: 1, ...device });
const askOta = async (id: string, body = {}) => {
  const headers = { "Device-Id": id, "Client-Id": "c", "User-Agent": "agent-board/9.9" };
  const response = await fetch(hmac.addresses["ota"]!, { method: "POST", headers, body: JSON.stringify(body) });
  return ((await response.json()) as { websocket: { token: string } }).websocket.token;
};
/** Connects. Gives the device, or the status of the refusal. */
const connect = async (to: Running, id: string, token?: string) => {
  try {
    const headers = { "Device-Id": id, "Client-Id": "c", ...(token && { Authorization: `Bearer ${token}` }) };
    return await gateways.open(to, { headers });
  } catch (error) {
    return /HTTP \d+/.exec(String(error))?.[0];
  }
};

it("letting a device in: OTA gives it a token at once, and takes the next one back, without a restart", async () => {
  expect(await askOta("hall")).toBe("");
  await register("hall", { allowed: true });
  await expect.poll(() => askOta("hall")).not.toBe("");
  const token = await askOta("hall");
  expect(await connect(hmac, "hall", token)).toMatchObject({ open: true });
  await register("hall", { allowed: false });
  await expect.poll(() => askOta("hall")).toBe("");
  expect(await connect(hmac, "hall", token)).toBe("HTTP 403");
  await gateways.bus.bucket(buckets.registry).remove("hall");
  // The variables decide again: the token is still signed by the key.
  await expect.poll(async () => typeof (await connect(hmac, "hall", token))).toBe("object");
});

it("disabling a device: closes its session with a code of its own, also before the hello, and refuses it in every mode", async () => {
  const talking = await gateways.connect(open, { id: "lamp" });
  const silent = await gateways.open(open, { id: "lamp", hello: false });
  const other = await gateways.connect(open, { id: "other" });
  await register("lamp", { allowed: false });
  expect(await Promise.all([talking.closed, silent.closed])).toMatchObject([{ code: 4006 }, { code: 4006 }]);
  expect(await connect(open, "lamp")).toBe("HTTP 403");
  const { refusals, closes } = await readStats(open);
  expect([refusals["disabled"], closes["disabled"]]).toEqual([1, 2]);
  expect(other.open).toBe(true);
  await register("lamp", { note: "mended" });
  await expect.poll(async () => typeof (await connect(open, "lamp"))).toBe("object");
});

it("a token of the device's own: lets it in until it expires, and no other device", async () => {
  const [now, day] = [Date.now(), 86_400_000];
  const token = (secret: string, until: number) => ({ hash: hashSecret(secret), renewAt: now, until });
  await register("own", { tokens: [token("new-token", now + day), token("old-token", now + day)] });
  await register("late", { tokens: [token("new-token", now - 1)] });
  await expect.poll(async () => typeof (await connect(hmac, "own", "new-token"))).toBe("object");
  expect(await connect(hmac, "own", "old-token")).toMatchObject({ open: true });
  expect(await connect(hmac, "own", "third-token")).toBe("HTTP 401");
  expect(await connect(hmac, "late", "new-token")).toBe("HTTP 401");
  expect(await connect(hmac, "stranger", "new-token")).toBe("HTTP 401");
});

it("a malformed entry, and a lost bucket: devices that need no registry go on", async () => {
  const registry = gateways.bus.bucket(buckets.registry);
  await registry.put("odd", { since: "yesterday", allowed: "no" } as never);
  await register("blocked", { allowed: false });
  await expect.poll(async () => connect(open, "blocked")).toBe("HTTP 403");
  expect(await connect(open, "odd")).toMatchObject({ open: true });
  await gateways.nats.callApi("STREAM.DELETE.KV_voxbus_registry");
  expect(await connect(open, "kitchen")).toMatchObject({ open: true });
  await expect.poll(async () => typeof (await connect(open, "blocked")), { timeout: 10_000 }).toBe("object");
  // The bucket is there again, and decides.
  await register("blocked", { allowed: false });
  await expect.poll(async () => connect(open, "blocked"), { timeout: 10_000 }).toBe("HTTP 403");
});

it("NATS away: the last decisions apply, and new ones when it is back", async () => {
  await register("barred", { allowed: false });
  await expect.poll(async () => connect(open, "barred")).toBe("HTTP 403");
  gateways.nats.kill("SIGSTOP");
  await untilAway(open);
  expect([await connect(open, "barred"), await connect(open, "guest")]).toEqual(["HTTP 403", "HTTP 503"]);
  gateways.nats.kill("SIGCONT");
  await register("barred", { allowed: true });
  await expect.poll(async () => typeof (await connect(open, "barred")), { timeout: 10_000 }).toBe("object");
});

it("OTA: keeps firmware and board of a device that may connect, and of no other", async () => {
  await register("told", { allowed: true });
  const record = async (id: string) => (await gateways.bus.bucket(buckets.devices).get(id))?.value;
  await expect.poll(() => askOta("told")).not.toBe("");
  await expect.poll(() => record("told")).toMatchObject({ firmware: "9.9", board: "agent-board", lastSeen: 0 });
  await askOta("told", { application: { version: "2.4.2" }, board: { type: "=cmd()", name: "lamp-v2" } });
  await expect.poll(() => record("told")).toMatchObject({ firmware: "2.4.2", board: "lamp-v2" });
  await askOta("stranger", { application: { version: "1.0.0" } });
  const device = await connect(hmac, "told", await askOta("told"));
  if (typeof device === "object") await leave(device);
  await expect.poll(() => record("told")).toMatchObject({ firmware: "9.9", lastReason: "gone" });
  const { firstSeen, lastSeen } = (await record("told"))!;
  expect(firstSeen).toBeGreaterThan(0);
  expect(lastSeen).toBeGreaterThanOrEqual(firstSeen!);
  expect(await record("stranger")).toBeUndefined();
});
