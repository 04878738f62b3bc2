import type { Limit } from "./limit.ts";

/** The rows of the table of limits that concern what OTA hands out. */
export const otaLimits = {
  images: { default: 1000, unit: "firmware images", what: "in VOXBUS_FIRMWARE_DIR", beyond: "the others are ignored" },
  imageBytes: { default: 67_108_864, unit: "bytes", what: "of a firmware image", beyond: "ignored" },
  downloads: {
    default: 100,
    unit: "downloads",
    what: "of firmware at once",
    beyond: "refused with 503, and OTA offers no image",
  },
  downloadsPerAddress: { default: 50, unit: "downloads", what: "the same, of one address", beyond: "refused with 503" },
  downloadMs: {
    // A large image at 20 KB/s.
    default: 900_000,
    unit: "ms",
    what: "for the download of a firmware image",
    beyond: "the download is cut off",
  },
  knownInstalls: {
    default: 10_000,
    unit: "devices",
    what: "whose downloads of the last day are remembered",
    beyond: "the oldest is forgotten",
  },
  installs: {
    default: 3,
    unit: "downloads",
    what: "of one image by one device in a day, without its version changing",
    beyond: "the image is no longer offered to it that day",
  },
  waiting: {
    default: 1000,
    unit: "devices",
    what: "that wait for their activation, at all gateways",
    beyond: "refused with 503",
  },
  waitingPerAddress: { default: 50, unit: "devices", what: "the same, of one address", beyond: "refused with 503" },
  newcomers: {
    default: 100,
    unit: "devices",
    what: "of one address let in without a code in a row",
    beyond: "refused with 503",
  },
  newcomerMs: { default: 1000, unit: "ms", what: "until an address may let in one more", beyond: "refused with 503" },
} as const satisfies Readonly<Record<string, Limit>>;
