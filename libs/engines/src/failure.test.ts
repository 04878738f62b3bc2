import { expect, test } from "vitest";
import { failureReasons, failures, readFailure, type FailureReason } from "./failure.ts";

/** An error as an HTTP client throws it, below an error of an engine. */
function fail(fields: { readonly name?: string; readonly status?: number; readonly code?: string }): Error {
  return new Error("the engine failed", { cause: Object.assign(new Error("no"), fields) });
}

const cases: readonly (readonly [FailureReason, Parameters<typeof fail>[0]])[] = [
  ["bad-key", { status: 401 }],
  ["bad-key", { status: 401, code: "invalid_api_key" }],
  ["bad-key", { status: 403 }],
  ["no-quota", { status: 402 }],
  ["no-quota", { status: 429, code: "insufficient_quota" }],
  ["no-quota", { status: 403, code: "billing_not_active" }],
  ["no-quota", { code: "insufficient_quota" }],
  ["rate-limited", { status: 429 }],
  ["rate-limited", { status: 429, code: "rate_limit_exceeded" }],
  ["time-out", { name: "ModelTimeoutError" }],
  ["time-out", { name: "PoolTimeoutError" }],
  ["time-out", { name: "APIConnectionTimeoutError" }],
  ["time-out", { code: "UND_ERR_HEADERS_TIMEOUT" }],
  ["time-out", { status: 408 }],
  ["unreachable", { code: "ECONNREFUSED" }],
  ["unreachable", { code: "ECONNRESET" }],
  ["unreachable", { code: "ENOTFOUND" }],
  ["unreachable", { code: "EAI_AGAIN" }],
  ["unreachable", { code: "UND_ERR_SOCKET" }],
  ["unreachable", { code: "DEPTH_ZERO_SELF_SIGNED_CERT" }],
  ["unreachable", { code: "CERT_HAS_EXPIRED" }],
  ["unreachable", { code: "ERR_TLS_CERT_ALTNAME_INVALID" }],
  ["unreachable", { code: "ERR_SSL_WRONG_VERSION_NUMBER" }],
  ["unreachable", { name: "APIConnectionError" }],
  ["server-error", { status: 500 }],
  ["server-error", { status: 503, code: "overloaded" }],
  ["not-found", { status: 404 }],
  ["not-found", { status: 400, code: "model_not_found" }],
  ["bad-answer", { name: "SyntaxError" }],
  ["bad-answer", { code: "bad-audio" }],
  ["busy", { name: "PoolFullError", code: "full" }],
  ["failed", {}],
  ["bad-request", { status: 400 }],
  ["bad-request", { status: 422, code: "context_length_exceeded" }],
  ["refused-content", { status: 400, code: "content_filter" }],
  ["refused-content", { status: 403, code: "content_policy_violation" }],
];

test.each(cases)("failures: %s is read from %j", (reason, fields) => {
  expect(readFailure(fail(fields))).toBe(reason);
});

test("failures: each reason has a case, and one of a request alone neither fails over nor cools down", () => {
  expect([...new Set(cases.map(([reason]) => reason))].toSorted()).toEqual(failureReasons.toSorted());
  const alone = failureReasons.filter((reason) => !failures[reason].failsOver);
  expect(alone).toEqual(["bad-request", "refused-content"]);
  expect(alone.some((reason) => failures[reason].cools)).toBe(false);
});

test("failures: anything can be thrown", () => {
  for (const thrown of [undefined, null, "no", 7, {}]) expect(readFailure(thrown)).toBe("failed");
});
