import { expect, test } from "vitest";
import { setVolume } from "./test-request.ts";
import { nameTools } from "./tool-names.ts";

test("tool names: are plain, distinct, at most 64 long, and lead back to their tools", () => {
  const names = ["self.a.b", "self_a_b", "self-a-b", `x${"y.".repeat(50)}`, `x${"y.".repeat(50)}z`];
  const { tools, toolOf } = nameTools(names.map((name) => ({ ...setVolume, name })));
  const given = tools.map((tool) => (tool.type === "function" ? tool.function.name : ""));
  expect(given.slice(0, 3)).toEqual(["self_a_b", "self_a_b_2", "self-a-b"]);
  expect(given.every((name) => /^[A-Za-z0-9_-]{1,64}$/.test(name))).toBe(true);
  expect(given.map((name) => toolOf.get(name)?.name)).toEqual(names);
});
