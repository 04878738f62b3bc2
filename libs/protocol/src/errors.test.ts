import { expect, test } from "vitest";
import { ProtocolError } from "./errors.ts";
import { decodeEnvelope, decodeFrame, parseDeviceId, parseDeviceMessage, Stats } from "./index.ts";

function catchError(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

test.each([
  ["a bus message", () => decodeEnvelope(Stats, Uint8Array.of(0x86))],
  ["a text frame", () => parseDeviceMessage("{")],
  ["a binary frame", () => decodeFrame(2, Uint8Array.of(1))],
])("%s that is refused costs no stack, and later errors have theirs", (_, run) => {
  const error = catchError(run);
  expect(error).toBeInstanceOf(ProtocolError);
  expect(error.stack).not.toContain("\n    at ");
  expect(new Error("later").stack).toContain("\n    at ");
});

test("an invalid id tells where it was used", () => {
  expect(catchError(() => parseDeviceId("a b")).stack).toContain("\n    at ");
});
