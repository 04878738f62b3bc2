import { expect, test } from "vitest";
import { matchPath } from "./route.ts";

test("path: segments fit one to one, and a named one takes anything", () => {
  expect(matchPath("/api/devices", "/api/devices")).toEqual({});
  expect(matchPath("/api/devices/:id/say", "/api/devices/aa%3Abb/say")).toEqual({ id: "aa%3Abb" });
  expect(matchPath("/api/devices/:id", "/api/devices/")).toEqual({ id: "" });
  for (const path of ["/api/devices/", "/api/device", "/api", "api/devices", "//api/devices", ""]) {
    expect(matchPath("/api/devices", path)).toBeUndefined();
  }
});
