import { AuthenticationError } from "openai";
import { expect, test } from "vitest";
import { describeCause } from "./error-cause.ts";

test("cause: the provider's error, with its status and code, behind those that wrap it", () => {
  const provider = new AuthenticationError(401, { code: "invalid_api_key" }, "Incorrect API key", new Headers());
  const failed = new Error("the engine failed", { cause: new Error("the model failed", { cause: provider }) });
  expect(describeCause(failed)).toEqual({ name: "AuthenticationError", status: 401, code: "invalid_api_key" });
});

test("cause: a socket's code", () => {
  const socket = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  const failed = new Error("failed", { cause: new TypeError("fetch failed", { cause: socket }) });
  expect(describeCause(failed)).toEqual({ name: "Error", code: "ECONNREFUSED" });
});
