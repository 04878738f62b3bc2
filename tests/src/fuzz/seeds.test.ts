import {
  bucketNames,
  channels,
  deviceMessages,
  envelopes,
  inControls,
  outControls,
  parseDeviceMessage,
} from "@voxbus/protocol";
import { describe, expect, it } from "vitest";
import { makeAbsurdValues } from "./absurd.ts";
import { createRandom } from "./random.ts";
import { deviceSeeds, envelopeSeeds } from "./seeds.ts";
import { makeBusMessage } from "./subjects.ts";

const typesOf = (seeds: readonly object[], kind: string) =>
  new Set(
    (seeds as readonly { readonly kind?: string; readonly body?: { readonly type?: string } }[]).flatMap((seed) =>
      seed.kind === kind ? [seed.body?.type] : [],
    ),
  );

describe("seeds of the fuzz suite", () => {
  it.each(Object.entries(envelopeSeeds))("%s: every seed is a valid envelope", (name, seeds) => {
    for (const seed of seeds) {
      expect(envelopes[name as keyof typeof envelopes].safeParse(seed).error).toBeUndefined();
    }
  });

  it("controls: every type has a seed", () => {
    expect(typesOf(envelopeSeeds["in.control"], "control")).toEqual(new Set(Object.keys(inControls)));
    expect(typesOf(envelopeSeeds.out, "control")).toEqual(new Set(Object.keys(outControls)));
  });

  it("device messages: every type has a seed, and every seed is valid", () => {
    const types = deviceSeeds.map((seed) => parseDeviceMessage(JSON.stringify(seed))?.type);
    expect(new Set(types)).toEqual(new Set(Object.keys(deviceMessages)));
  });

  it("bus messages: every subject and every bucket gets some", () => {
    const absurd = makeAbsurdValues(1);
    const to = { gateway: "g1", victims: new Map([["victim-0", "s1"]]) };
    const subjects = Array.from(
      { length: 4000 },
      (_, index) => makeBusMessage(createRandom(1, "bus", index), to, absurd).subject,
    );
    const expected = [
      ...Object.values(channels)
        .filter(({ delivery }) => delivery !== "view")
        .map(({ pattern }) => pattern.replaceAll(/<\w+>/g, "[^.]+")),
      "stored[.]device[.][^.]+[.](?:heard|say|say[.]open)",
      ...bucketNames.map((name) => `[$]KV[.]voxbus_${name}[.].+`),
    ];
    const missing = expected.filter((pattern) => !subjects.some((subject) => new RegExp(`^${pattern}$`).test(subject)));
    expect(missing).toEqual([]);
  });
});
