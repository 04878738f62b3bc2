import { buckets } from "@voxbus/protocol";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startTestMonitor, type TestMonitor } from "../test-monitor.ts";
import { maxTokens } from "../tokens/token-store.ts";

const operator = "operator-s3cret-0000";
let my: TestMonitor;
beforeAll(async () => {
  my = await startTestMonitor({ VOXBUS_MONITOR_TOKEN: operator });
});
afterAll(() => my?.stop());

const askAs = (token: string, method: string, path: string, body?: object) => my.ask(method, path, body, token);
const create = (name: string, scope: string, more: object = {}) =>
  askAs(operator, "POST", "/api/tokens", { name, scope, ...more });
async function createToken(name: string, scope: string): Promise<string> {
  const { status, body } = await create(name, scope);
  expect(status).toBe(201);
  return body["token"] as string;
}

/** The least scope that a call needs, and a call that needs it. */
const calls = [
  ["read", "GET", "/api/devices"],
  ["control", "POST", "/api/devices/nobody/disconnect"],
  ["admin", "GET", "/api/tokens"],
  ["admin", "DELETE", "/api/devices/nobody/dialogue"],
  ["admin", "DELETE", "/api/registry/nobody"],
] as const;
const scopes = [...new Set(calls.map(([scope]) => scope))];

test.each(scopes)(
  "tokens: one with the scope %s may call what needs it or less, and the refusal names what it lacks",
  async (scope) => {
    const token = await createToken(`scope-${scope}`, scope);
    for (const [needed, method, path] of calls) {
      const { status, body } = await askAs(token, method, path);
      if (scopes.indexOf(needed) <= scopes.indexOf(scope)) {
        expect([200, 404]).toContain(status);
        continue;
      }
      expect(body).toMatchObject({ type: "/problems/missing-scope", status: 403 });
      expect(body["detail"]).toBe(`this needs the scope ${needed}, and the token scope-${scope} has ${scope}`);
    }
  },
);

test("tokens: a caller reads its own name and scope, and the variable's token has the scope admin", async () => {
  const token = await createToken("curious", "read");
  expect((await askAs(token, "GET", "/api/token")).body).toEqual({ name: "curious", scope: "read" });
  const own = await askAs(operator, "GET", "/api/token");
  expect(own.body).toEqual({ name: "VOXBUS_MONITOR_TOKEN", scope: "admin" });
});

test("tokens: every route of the description names the scope that it needs", async () => {
  const { body } = await askAs(operator, "GET", "/api/openapi.json");
  const operations = Object.values(body["paths"] as Record<string, Record<string, Record<string, any>>>).flatMap(
    (path) => Object.entries(path),
  );
  const least = operations.map(([method, { security }]) => [method, security.at(-1).token[0]]);
  expect(least.every(([, scope]) => scopes.includes(scope))).toBe(true);
  expect(least.filter(([method, scope]) => method !== "get" && scope === "read")).toEqual([]);
});

test("tokens: the text is shown once, and neither the list nor the bucket has it", async () => {
  const token = await createToken("shown-once", "read");
  const listed = JSON.stringify((await askAs(operator, "GET", "/api/tokens")).body);
  expect(listed).toContain('"shown-once"');
  const stored = JSON.stringify(await my.bus.bucket(buckets.apiTokens).get("shown-once"));
  for (const text of [listed, stored]) expect(text).not.toContain(token.replace("voxbus_", ""));
});

test("tokens: a name is taken until its token is revoked, and the revoked one is refused", async () => {
  const first = await createToken("twice", "read");
  expect(await create("twice", "admin")).toMatchObject({ status: 409, body: { type: "/problems/token-exists" } });
  expect((await askAs(operator, "DELETE", "/api/tokens/twice")).body).toEqual({ name: "twice", revoked: true });
  expect((await askAs(first, "GET", "/api/devices")).status).toBe(401);
  expect((await askAs(operator, "DELETE", "/api/tokens/twice")).body).toEqual({ name: "twice", revoked: false });
  const second = await createToken("twice", "read");
  expect((await askAs(first, "GET", "/api/devices")).status).toBe(401);
  expect((await askAs(second, "GET", "/api/devices")).status).toBe(200);
});

test("tokens: another monitor knows a token, and its end", async () => {
  const token = await createToken("shared", "read");
  const other = await my.another();
  const url = other.addresses["monitor"]!;
  const statusOf = async () =>
    (await fetch(`${url}api/devices`, { headers: { authorization: `Bearer ${token}` } })).status;
  expect(await statusOf()).toBe(200);
  await askAs(operator, "DELETE", "/api/tokens/shared");
  await vi.waitFor(async () => expect(await statusOf()).toBe(401), 5000);
  await other.stop("quick");
});

test("tokens: an expired one is refused, and its name is free again", async () => {
  const { body } = await create("short", "read", { days: 1 });
  expect(body["expiresAt"] - body["createdAt"]).toBe(24 * 3_600_000);
  const bucket = my.bus.bucket(buckets.apiTokens);
  const entry = await bucket.get("short");
  await bucket.put("short", { ...entry!.value!, expiresAt: Date.now() });
  await vi.waitFor(async () => expect((await askAs(body["token"], "GET", "/api/devices")).status).toBe(401), 5000);
  await createToken("short", "read");
});

test.each([
  [{ name: "a.b", scope: "read" }, "name"],
  [{ name: "VOXBUS_MONITOR_TOKEN", scope: "read" }, "name"],
  [{ name: "a", scope: "root" }, "scope"],
  [{ name: "a", scope: "read", days: 0 }, "days"],
  [{ name: "a", scope: "read", days: 1e9 }, "days"],
  [{ scope: "read" }, "name"],
])("tokens: %j is refused by the name of its field", async (body, field) => {
  const refused = await askAs(operator, "POST", "/api/tokens", body);
  expect(refused).toMatchObject({ status: 400, body: { type: "/problems/bad-field", errors: [{ field }] } });
});

test("tokens: there are at most 100", async () => {
  const bucket = my.bus.bucket(buckets.apiTokens);
  const names = Array.from({ length: maxTokens }, (_, n) => `many-${n}`);
  const record = { scope: "read" as const, hash: "0".repeat(64), createdAt: 1 };
  for (const name of names) await bucket.put(name, record);
  await vi.waitFor(async () => {
    const { body } = await create("one-more", "read");
    await askAs(operator, "DELETE", "/api/tokens/one-more");
    expect(body["type"]).toBe("/problems/too-many-tokens");
  }, 5000);
  for (const name of names) await bucket.remove(name);
});

test("POST: no route answers a request without a body with 415", async () => {
  const { body } = await askAs(operator, "GET", "/api/openapi.json");
  const paths = Object.entries(body["paths"] as Record<string, object>).flatMap(([path, item]) =>
    "post" in item ? [path.replaceAll(/\{\w+\}/g, "nobody")] : [],
  );
  expect(paths).toContain("/api/devices/nobody/disconnect");
  for (const path of paths) {
    for (const type of [undefined, "text/plain", "application/x-www-form-urlencoded"]) {
      const headers = { authorization: `Bearer ${operator}`, ...(type && { "content-type": type }) };
      const { status } = await fetch(my.url + path, { method: "POST", headers });
      expect([path, [200, 201, 202, 400, 404].includes(status) ? "taken" : status]).toEqual([path, "taken"]);
    }
  }
});
