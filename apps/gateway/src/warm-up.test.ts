import { expect, test } from "vitest";
import { warmUp } from "./warm-up.ts";

test("warm-up: its made-up frames and messages are valid", () => {
  expect(() => warmUp()).not.toThrow();
});
