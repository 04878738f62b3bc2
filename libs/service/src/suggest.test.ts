import { expect, test } from "vitest";
import { suggest } from "./suggest.ts";
import { knownVariables } from "./variables.ts";

test.each([
  ["VOXBUS_GATEWAY_PROT", "VOXBUS_GATEWAY_PORT"],
  ["VOXBUS_LLM_MODLE", "VOXBUS_LLM_MODEL"],
  ["VOXBUS_NAT_URL", "VOXBUS_NATS_URL"],
  ["VOXBUS_AUTH_TOKEN", "VOXBUS_AUTH_TOKENS"],
  ["voxbus_log_level", "VOXBUS_LOG_LEVEL"],
])("suggest: %s is meant as %s", (typed, meant) => {
  expect(suggest(typed, knownVariables)).toBe(meant);
});

test.each(["VOXBUS_KITCHEN_LIGHT", "VOXBUS", "X", ""])("suggest: %j is like no variable", (typed) => {
  expect(suggest(typed, knownVariables)).toBeUndefined();
});

test("suggest: the nearest word wins, and short words take one change", () => {
  expect(suggest("tokn", ["none", "token", "hmac"])).toBe("token");
  expect(suggest("opnai", ["embedded", "openai"])).toBe("openai");
  expect(suggest("on", ["off", "no"])).toBe("no");
});
