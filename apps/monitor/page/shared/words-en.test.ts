import { expect, test } from "vitest";
import { english } from "./words-en.ts";

test("words: one of a kind is named in the singular", () => {
  const { fleet, device } = english;
  expect([fleet.count("1", "1", "0"), fleet.count("1", "2", "0")]).toEqual([
    "1 device, 0 online",
    "1 of 2 devices, 0 online",
  ]);
  expect([fleet.imported("1"), fleet.imported("2")]).toEqual(["1 device imported.", "2 devices imported."]);
  expect([device.packets.late("1"), device.packets.late("2")]).toEqual(["1 packet late", "2 packets late"]);
});
