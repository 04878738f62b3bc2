import { buckets, defaultProfile, groupProfile } from "@voxbus/protocol";
import { looseRow } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startTestMonitor, type TestMonitor } from "../test-monitor.ts";

let my: TestMonitor;
beforeAll(async () => {
  my = await startTestMonitor();
});
afterAll(() => my?.stop());

/** Asks the API with a revision, or without. */
async function ask(method: string, path: string, body?: object, revision?: string): Promise<Record<string, any>> {
  const headers = {
    ...(body && { "content-type": "application/json" }),
    ...(revision !== undefined && { "if-match": revision }),
  };
  const response = await fetch(`${my.url}/api/profiles/${path}`, {
    method,
    headers,
    ...(body && { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as Record<string, any>;
  return { status: response.status, etag: response.headers.get("etag"), ...answer };
}

test("profiles: a device's profile tells for each field its value, and the level that it comes from", async () => {
  await ask("PUT", "fleet", { language: "de", voice: "fleet", model: { topP: 0.5 } }, '"0"');
  await ask("PUT", "groups/hall", { voice: "hall", model: { maxTokens: 99 } }, '"0"');
  await ask("PUT", "devices/lamp", { group: "hall", name: "Ada" }, '"0"');
  const shown = await ask("GET", "devices/lamp");
  expect(shown).toMatchObject({
    status: 200,
    own: { group: "hall", name: "Ada" },
    invalid: [],
    profile: { language: "de", voice: "hall", name: "Ada", lead: 2, model: { topP: 0.5, maxTokens: 99 } },
    sources: {
      language: "fleet",
      voice: "group:hall",
      name: "device",
      lead: "default",
      "model.topP": "fleet",
      "model.maxTokens": "group:hall",
      "engines.llm": "default",
    },
    inherited: { profile: { voice: "hall" }, sources: { voice: "group:hall", name: "default" } },
  });
  expect(shown["etag"]).toBe(`"${shown["revision"]}"`);
  expect(await ask("GET", "groups/hall")).toMatchObject({ sources: { language: "fleet", voice: "group:hall" } });
  expect(await (await fetch(`${my.url}/api/devices/lamp/profile`)).json()).toMatchObject({ own: { name: "Ada" } });
  await vi.waitFor(async () => {
    expect(await ask("GET", "groups")).toMatchObject({ groups: [{ group: "hall", devices: 0 }] });
  });
});

test.each(["fleet", "groups/g1", "devices/d1"])(
  "profiles: %s is changed, cleared and removed, at its revision",
  async (path) => {
    const revisionOf = async () => String((await ask("GET", path))["revision"]);
    await ask("DELETE", path);
    expect(await ask("PUT", path, { lead: 1 })).toMatchObject({ status: 428 });
    const put = await ask("PUT", path, { lead: 1, voice: "a", model: { topP: 1, temperature: 0 } }, '"0"');
    expect(put).toMatchObject({ status: 200, own: { lead: 1 } });
    expect(await ask("PUT", path, {}, '"0"')).toMatchObject({ status: 409, type: "/problems/revision-conflict" });
    expect(await ask("PATCH", path, { lead: null, place: "hall", model: { topP: null } })).toMatchObject({
      status: 200,
      own: { voice: "a", place: "hall", model: { temperature: 0 } },
    });
    expect(await ask("PATCH", path, { voice: "b" }, put["etag"])).toMatchObject({ status: 409 });
    expect(await ask("PATCH", path, { model: { temperature: null } }, await revisionOf())).toMatchObject({
      status: 200,
    });
    expect((await ask("GET", path))["own"]).toEqual({ voice: "a", place: "hall" });
    expect(await ask("DELETE", path, undefined, put["etag"])).toMatchObject({ status: 409 });
    expect(await ask("DELETE", path, undefined, "nonsense")).toMatchObject({ status: 428 });
    expect(await ask("DELETE", path, undefined, await revisionOf())).toMatchObject({
      status: 200,
      revision: 0,
      own: {},
    });
  },
);

test("profiles: simultaneous patches of one level are all kept", async () => {
  const fields = [{ lead: 1 }, { voice: "x" }, { place: "y" }, { name: "z" }];
  await Promise.all(fields.map((body) => ask("PATCH", "groups/busy", body)));
  expect((await ask("GET", "groups/busy"))["own"]).toEqual(Object.assign({}, ...fields));
});

test.each([
  ["fleet", { prompt: "You are {stranger} in {place} {nowhere}" }, "prompt", "unknown variables: {stranger} {nowhere}"],
  ["fleet", { greeting: "{Name}" }, "greeting", "{Name}"],
  ["fleet", { farewell: "x".repeat(201) }, "farewell", "200"],
  ["fleet", { model: { temperature: 3 } }, "model.temperature", "2"],
  ["fleet", { model: { heat: 3 } }, "heat", "heat"],
  ["fleet", { colour: 3 }, "colour", "colour"],
  ["groups/g", { group: "other" }, "group", "group"],
  ["groups/g", { groups: ["g"] }, "groups", "groups"],
  ["devices/d", { groups: ["a.b"] }, "groups.0", "A-Z"],
])("profiles: %s refuses %j, naming %s", async (path, body, field, message) => {
  for (const method of ["PUT", "PATCH"]) {
    const refused = await ask(method, path, body, '"0"');
    expect(refused).toMatchObject({ status: 400, type: "/problems/bad-field", errors: [{ field }] });
    expect(JSON.stringify(refused["errors"])).toContain(message);
  }
});

test("profiles: a body that is too big, and an impossible group, are refused by their names", async () => {
  expect(await ask("PUT", "fleet", { prompt: "x".repeat(100_000) }, '"0"')).toMatchObject({ status: 413 });
  expect(await ask("GET", "groups/a.b")).toMatchObject({ status: 400, type: "/problems/bad-name" });
  expect(await ask("GET", "devices/a.b")).toMatchObject({ status: 400, type: "/problems/bad-device-id" });
});

test("profiles: stored fields that are not valid are named, and a patch repairs them", async () => {
  await my.bus.bucket(looseRow(buckets.profiles)).put(groupProfile("odd"), { lead: 99, voice: "v", group: "odd" });
  expect(await ask("GET", "groups/odd")).toMatchObject({ own: { voice: "v" }, invalid: ["lead", "group"] });
  expect(await ask("PATCH", "groups/odd", { place: "hall" })).toMatchObject({
    own: { voice: "v", place: "hall" },
    invalid: [],
  });
});

test("trial: a device has the fields of a level for some time, over its own, and nothing is saved", async () => {
  await ask("PUT", "devices/try", { voice: "own", group: "tried" }, '"0"');
  const profiles = async () => {
    const entry = await my.bus.bucket(buckets.profiles).get("=trial-try");
    return entry?.value;
  };
  const start = (body: object) => ask("POST", "devices/try/trial", body);
  const { until } = await start({ level: "fleet", fields: { voice: "new" }, seconds: 10 });
  expect(await profiles()).toMatchObject({ own: { voice: "new", group: "tried" }, until });
  await start({ fields: { place: "hall" } });
  expect((await profiles())?.own).not.toHaveProperty("voice", "own");
  expect(await start({ level: "group:tried", fields: { lead: 3 } })).toMatchObject({ status: 202 });
  expect(await profiles()).toMatchObject({ own: { voice: "own", lead: 3 } });
  expect((await ask("GET", "devices/try"))["own"]).toEqual({ voice: "own", group: "tried" });
  expect(await my.bus.bucket(buckets.profiles).get(defaultProfile)).toBeUndefined();
  expect(await ask("DELETE", "devices/try/trial")).toMatchObject({ status: 200 });
  expect(await profiles()).toBeUndefined();
  for (const body of [{ fields: {}, seconds: 601 }, { fields: {}, level: "house" }, { fields: { prompt: "{x}" } }])
    expect(await start(body)).toMatchObject({ status: 400 });
});
