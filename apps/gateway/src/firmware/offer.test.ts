import { expect, it } from "vitest";
import type { Image } from "./catalog.ts";
import { chooseImage, type Asker } from "./offer.ts";
import { isInShare, ruleOf, type Rules } from "./rules.ts";

const boardImages = (versions: readonly string[], rules: Rules = {}): readonly Image[] =>
  versions.map((version) => {
    const name = `box/${version}.bin`;
    return { name, board: "box", version, path: "", bytes: 1, tag: "", rule: ruleOf(rules, name) };
  });
const choose = (images: readonly Image[], asker: Partial<Asker> = {}) =>
  chooseImage(images, { device: "a", board: "box", groups: [], version: "2.0.0", ...asker })?.version;
const devices = Array.from({ length: 2000 }, (_, index) => `02:00:00:00:00:${index.toString(16)}`);

it("an image: the newest one is offered, unless the device runs it or a newer one", () => {
  const images = boardImages(["2.1.0", "2.0.5", "1.0.0"]);
  expect(choose(images)).toBe("2.1.0");
  expect(choose(images, { version: "2.1.0" })).toBeUndefined();
  expect(choose(images, { version: "2.1.1" })).toBeUndefined();
  expect(choose([])).toBeUndefined();
});

it.each([undefined, "2.0.0-rc1", "v2", 7])(
  "a device whose version is %j: is offered nothing, not even by force",
  (version) => {
    expect(choose(boardImages(["9.0.0"], { "*": { force: true } }), { version })).toBeUndefined();
  },
);

it("force: an older image replaces a newer one, once", () => {
  const images = boardImages(["2.1.0", "1.9.0"], { "box/1.9.0.bin": { force: true } });
  expect(choose(images)).toBe("1.9.0");
  expect(choose(images, { version: "2.1.0" })).toBe("1.9.0");
  expect(choose(images, { version: "1.9.0" })).toBeUndefined();
});

it("groups: only devices of a named group are offered the image, the others the one before", () => {
  const images = boardImages(["2.1.0", "2.0.5"], { "box/2.1.0.bin": { groups: ["lab"] } });
  expect(choose(images, { groups: ["attic", "lab"] })).toBe("2.1.0");
  expect(choose(images, { groups: ["hall"] })).toBe("2.0.5");
  expect(choose(images)).toBe("2.0.5");
});

it("share: about its percentage of the devices, always the same ones, and they stay in it as it grows", () => {
  const inShare = (share: number) => devices.filter((device) => isInShare(device, share));
  const tenth = inShare(10);
  expect(tenth.length).toBeGreaterThan(150);
  expect(tenth.length).toBeLessThan(250);
  expect(inShare(10)).toEqual(tenth);
  const half = new Set(inShare(50));
  expect(tenth.every((device) => half.has(device))).toBe(true);
  expect(inShare(0)).toEqual([]);
  expect(inShare(100)).toEqual(devices);
});

it("share of an image: the devices outside of it are offered the image before", () => {
  const images = boardImages(["2.1.0", "2.0.5"], { "box/2.1.0.bin": { share: 10 } });
  for (const device of devices) expect(choose(images, { device })).toBe(isInShare(device, 10) ? "2.1.0" : "2.0.5");
});

it("rules: those of * apply where an image has none of its own", () => {
  const rules: Rules = { "*": { share: 5, groups: ["lab"] }, "box/1.bin": { share: 50 } };
  expect(ruleOf(rules, "box/2.bin")).toEqual({ share: 5, groups: ["lab"], force: false });
  expect(ruleOf(rules, "box/1.bin")).toEqual({ share: 50, groups: ["lab"], force: false });
  expect(ruleOf({}, "box/1.bin")).toEqual({ share: 100, force: false });
});
