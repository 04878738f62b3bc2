import { expect, test } from "vitest";
import { allowsTool } from "./allow-list.ts";

test.each([
  [undefined, "weather", true],
  [[], "weather", false],
  [["*"], "weather", true],
  [["weather"], "weather", true],
  [["weather"], "weather_now", false],
  [["weather*"], "weather_now", true],
  [["*_now"], "weather_now", true],
  [["*_now"], "weather", false],
  [["w*r"], "weather", true],
  [["we*er"], "weer", true],
  [["wee*er"], "weer", false],
  [["a*b*c"], "a-b-b-c", true],
  [["a*b*c"], "a-c-b", false],
  [["no", "wea*"], "weather", true],
])("allow-list: %j and %s: %s", (tools, name, allowed) => {
  expect(allowsTool(tools === undefined ? {} : { tools }, name)).toBe(allowed);
});

test("allow-list: many stars take no time", () => {
  const began = performance.now();
  expect(allowsTool({ tools: ["a*".repeat(32)] }, `${"a".repeat(63)}b`)).toBe(true);
  expect(allowsTool({ tools: [`${"a*".repeat(31)}c`] }, `${"a".repeat(63)}b`)).toBe(false);
  expect(performance.now() - began).toBeLessThan(100);
});
