import { expect, test } from "vitest";
import { createDeviceTools } from "./device-tools.ts";
import { mcpShapeNames, shapeAnswers } from "./mcp-shapes.ts";

const requests = [
  { method: "initialize", params: {} },
  { method: "tools/list", params: { cursor: "" } },
  { method: "tools/call", params: { name: "self.get_device_status", arguments: {} } },
].map((request, id) => ({ jsonrpc: "2.0", id, ...request }));

test.each(mcpShapeNames.filter((name) => name !== "stock"))("mcp: %s differs from stock, and is JSON", (name) => {
  const stock = createDeviceTools();
  const odd = shapeAnswers(createDeviceTools(), name);
  const [usual, other] = [stock, odd].map((tools) => JSON.stringify(requests.map((request) => tools.answer(request))));
  expect(other).not.toBe(usual);
  expect(other).not.toContain("undefined");
});

test("mcp: errors of stock firmware keep their shape where only results differ", () => {
  const unknown = { jsonrpc: "2.0", id: 4, method: "tools/call", params: { name: "none" } };
  expect(shapeAnswers(createDeviceTools(), "bare-result").answer(unknown)).toEqual(createDeviceTools().answer(unknown));
});
