import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestMonitor, type TestMonitor } from "../test-monitor.ts";

let my: TestMonitor;
beforeAll(async () => {
  my = await startTestMonitor();
});
afterAll(() => my?.stop());

test("openapi: describes every path with its parameters, body, answer and refusals, and every reference resolves", async () => {
  const { body } = await my.ask("GET", "/api/openapi.json");
  const text = JSON.stringify(body);
  expect(body["openapi"]).toMatch(/^3\.1\./);
  const paths = body["paths"] as Record<string, Record<string, any>>;
  expect(Object.keys(paths).toSorted()).toEqual([
    "/api/activations",
    "/api/alerts",
    "/api/asyncapi.json",
    "/api/capacity",
    "/api/contract",
    "/api/contract/{kind}/{file}",
    "/api/devices",
    "/api/devices/{id}",
    "/api/devices/{id}/control",
    "/api/devices/{id}/dialogue",
    "/api/devices/{id}/dialogue/export",
    "/api/devices/{id}/disconnect",
    "/api/devices/{id}/messages",
    "/api/devices/{id}/messages/{message}",
    "/api/devices/{id}/profile",
    "/api/devices/{id}/record",
    "/api/devices/{id}/say",
    "/api/devices/{id}/text",
    "/api/devices/{id}/tools",
    "/api/devices/{id}/tools/{name}",
    "/api/events",
    "/api/fleet/control",
    "/api/fleet/say",
    "/api/fleet/text",
    "/api/gateways",
    "/api/gateways/{id}/drain",
    "/api/groups/{group}/control",
    "/api/groups/{group}/say",
    "/api/groups/{group}/text",
    "/api/health",
    "/api/openapi.json",
    "/api/pools",
    "/api/profiles/devices/{id}",
    "/api/profiles/devices/{id}/trial",
    "/api/profiles/fleet",
    "/api/profiles/groups",
    "/api/profiles/groups/{group}",
    "/api/programs",
    "/api/receipts/{reply}",
    "/api/registry",
    "/api/registry.csv",
    "/api/registry.jsonl",
    "/api/registry/{id}",
    "/api/services",
    "/api/shadows",
    "/api/stats",
    "/api/token",
    "/api/tokens",
    "/api/tokens/{name}",
    "/api/webhooks",
    "/api/webhooks/{name}",
  ]);
  const say = paths["/api/devices/{id}/say"]!["post"];
  expect(say.parameters).toMatchObject([
    { name: "id", in: "path", required: true },
    { name: "keep", in: "query", required: false },
  ]);
  expect(say.requestBody.content["application/json"].schema).toMatchObject({
    required: ["text"],
    properties: { text: { maxLength: 4096 } },
  });
  expect(Object.keys(say.responses)).toEqual(
    expect.arrayContaining(["202", "400", "401", "403", "404", "413", "415", "503"]),
  );
  expect(say.responses["404"].description).toContain("device-offline");
  for (const [, name] of text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)) {
    expect(body).toHaveProperty(["components", "schemas", name!]);
  }
  const operations = Object.values(paths).flatMap((row) =>
    Object.values(row).map(({ operationId }) => operationId as string),
  );
  expect(new Set(operations).size).toBe(operations.length);
});
