import { describeAsyncApi, describeContract } from "@voxbus/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestMonitor, type TestMonitor } from "../test-monitor.ts";

let my: TestMonitor;
beforeAll(async () => {
  my = await startTestMonitor();
});
afterAll(() => my?.stop());

const asJson = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;

test("contract: the AsyncAPI document and each schema are served as the code describes them", async () => {
  expect((await my.ask("GET", "/api/asyncapi.json")).body).toEqual(asJson(describeAsyncApi()));
  const described = describeContract();
  const { schemas } = (await my.ask("GET", "/api/contract")).body as { schemas: string[] };
  expect(schemas).toEqual([...described.keys()]);
  for (const path of schemas) {
    const { status, body } = await my.ask("GET", `/api/contract/${path}`);
    expect([status, body]).toEqual([200, asJson(described.get(path))]);
  }
});

test.each(["envelopes/nothing.json", "envelopes/__proto__", "envelopes/gateways.json"])(
  "contract: there is no %s, and the answer says where to look",
  async (path) => {
    const { status, body } = await my.ask("GET", `/api/contract/${path}`);
    expect([status, body["detail"]]).toEqual([404, `there is no schema ${path}; /api/contract names all`]);
  },
);
