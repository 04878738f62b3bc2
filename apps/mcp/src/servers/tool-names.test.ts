import { expect, test } from "vitest";
import { nameTools } from "./tool-names.ts";

test("tool names: are the prefix and the tool's own name in the characters of the bus", () => {
  expect([...nameTools("home_", ["HassTurnOn", "list.items", "größe"])]).toEqual([
    ["HassTurnOn", "home_HassTurnOn"],
    ["list.items", "home_list_items"],
    ["größe", "home_gr__e"],
  ]);
});

test("tool names: of two tools with the same name the unchanged one keeps it, in any order of the list", () => {
  const tools = ["a_b", "a.b", "a b", "a.b"];
  const names = nameTools("s_", tools);
  expect(names.get("a_b")).toBe("s_a_b");
  expect(names.get("a.b")).toMatch(/^s_a_b_[0-9a-f]{8}$/);
  expect(new Set(names.values()).size).toBe(3);
  const turned = nameTools("s_", tools.toReversed());
  expect(turned).toEqual(names);
});

test("tool names: a long one is cut, and still differs from others with the same beginning", () => {
  const names = nameTools("server_", ["x".repeat(100), `${"x".repeat(100)}y`, "z".repeat(57)]);
  expect([...names.values()].map((name) => name.length)).toEqual([64, 64, 64]);
  expect(new Set(names.values()).size).toBe(3);
  for (const name of names.values()) expect(name).toMatch(/^server_[A-Za-z0-9_-]+$/);
});
