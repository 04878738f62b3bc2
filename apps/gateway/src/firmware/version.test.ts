import { expect, it } from "vitest";
import { compareVersions, isVersion } from "./version.ts";

it.each([
  ["2.4.3", "2.4.2", 1],
  ["2.4.10", "2.4.9", 1],
  ["2.4", "2.4.0", -1],
  ["2.4.0", "2.4", 1],
  ["10", "9.9.9", 1],
  ["2.4.2", "2.4.2", 0],
  ["02.4", "2.04", 0],
  ["1.9.9", "2.0.0", -1],
])("versions %s and %s: compare as stock firmware does", (one, other, sign) => {
  expect(Math.sign(compareVersions(one, other))).toBe(sign);
  expect(Math.sign(compareVersions(other, one))).toBe(sign === 0 ? 0 : -sign);
});

it.each([
  "v2.4.2",
  "latest",
  "2.4.2-rc1",
  "",
  "2..4",
  ".2",
  "2.4.2.",
  "1.2.3.4.5",
  "9999999",
  " 2.4",
  2.4,
  null,
  undefined,
])("%j is no version: a device that reads it would crash", (text) => {
  expect(isVersion(text)).toBe(false);
});
