import { expect, it, vi } from "vitest";
import { z } from "zod";
import { describeCause, describeError, withoutText } from "./error-cause.ts";

const said = "call my doctor about the rash";

function catchError(act: () => unknown): Error {
  try {
    act();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

class BadRequestError extends Error {
  readonly status = 400;
  readonly code: string;
  readonly error = { message: said };
  constructor(code: string) {
    super(`400 ${said}`);
    this.code = code;
  }
}

it.each([
  ["of an HTTP client", new BadRequestError("too_long")],
  ["of an HTTP client, with a sentence as its code", new BadRequestError(said)],
  ["of JSON.parse", catchError(() => JSON.parse(said))],
  ["of JSON.parse, over two lines", catchError(() => JSON.parse(`"\n    at ${said}`))],
  ["of a schema", catchError(() => z.literal("x", said).parse("y"))],
  ["of an address", catchError(() => new URL(said))],
  ["with fields of its own", Object.assign(new Error("failed"), { request: said, transcript: said })],
])("log: an error %s is described without the words in it, also as a cause", (_whose, error) => {
  for (const one of [error, new Error("turn failed", { cause: error }), withoutText(error)]) {
    const described = JSON.stringify([describeError(one), describeCause(one)]);
    expect(described).not.toContain("doctor");
  }
});

it("log: an error of ours keeps its text, its causes' texts and their stacks", () => {
  const socket = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:9"), { code: "ECONNREFUSED" });
  const error = new TypeError("expected a number", { cause: new Error("read failed", { cause: socket }) });
  const described = describeError(error);
  expect(described).toMatchObject({
    type: "TypeError",
    message: "expected a number: read failed: connect ECONNREFUSED 127.0.0.1:9",
    code: "ECONNREFUSED",
  });
  expect(described["stack"]).toMatch(
    /^TypeError: expected a number\n {4}at [^]+\ncaused by: Error: read failed\n {4}at /,
  );
});

it("log: the error of a provider is described by its name, status and code", () => {
  const error = new Error("the model failed", { cause: withoutText(new BadRequestError("too_long")) });
  expect(describeCause(error)).toEqual({ name: "BadRequestError", status: 400, code: "too_long" });
  expect(describeError(error)).toMatchObject({
    type: "Error",
    message: "the model failed: BadRequestError 400 too_long",
    status: 400,
    code: "too_long",
  });
});

it("log: an error with a status that is not an HTTP client's keeps its text", () => {
  class ApiError extends Error {
    get status() {
      return 503;
    }
  }
  expect(describeError(new ApiError("insufficient resources"))).toMatchObject({
    message: "insufficient resources",
    status: 503,
  });
});

it("cause: a socket's code is found behind the errors that wrap it", () => {
  const socket = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  const failed = new Error("failed", { cause: new TypeError("fetch failed", { cause: socket }) });
  expect(describeCause(failed)).toEqual({ name: "Error", code: "ECONNREFUSED" });
});

it("log: a thrown value that is not an error is described by its type", () => {
  expect(describeError(said)).toMatchObject({ type: "string", message: "" });
});

it.each([
  [429, "7", 7000],
  [503, "0", 0],
  [429, "Fri, 01 Jan 2027 00:00:30 GMT", 30_000],
  [503, "Thu, 31 Dec 2026 00:00:00 GMT", 0],
  [429, "soon", undefined],
  [429, "-5 s", undefined],
  [500, "7", undefined],
])("causes: with %d, Retry-After %j is %j ms, also from the error that stands for it", (status, given, ms) => {
  vi.useFakeTimers({ now: Date.UTC(2027, 0, 1) });
  const error = Object.assign(new Error(said), { status, headers: new Headers({ "retry-after": given }) });
  expect(describeCause(new Error("no", { cause: withoutText(error) })).retryAfterMs).toBe(ms);
  vi.useRealTimers();
});
