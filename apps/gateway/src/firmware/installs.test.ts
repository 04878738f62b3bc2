import { expect, it } from "vitest";
import { createInstalls } from "./installs.ts";

it("installs: three downloads of one image in a day are enough, and another day or image counts anew", () => {
  let now = 0;
  const installs = createInstalls(() => now);
  for (let i = 0; i < 3; i += 1) {
    expect(installs.exhausted("a", "box/2.bin")).toBe(false);
    installs.add("a", "box/2.bin");
  }
  expect(installs.exhausted("a", "box/2.bin")).toBe(true);
  expect(installs.exhausted("b", "box/2.bin")).toBe(false);
  expect(installs.exhausted("a", "box/3.bin")).toBe(false);
  now = 86_400_001;
  expect(installs.exhausted("a", "box/2.bin")).toBe(false);
});
