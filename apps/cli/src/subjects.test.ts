import { channels } from "@voxbus/protocol";
import { expect, test } from "vitest";
import { allChannels, findChannel, intersect, listSubscriptions, requireChannel } from "./subjects.ts";

test.each([
  ["device.kitchen.>", "device.*.heard", "device.kitchen.heard"],
  ["device.*.heard", "device.kitchen.>", "device.kitchen.heard"],
  [">", "fleet.out", "fleet.out"],
  ["*.out", "fleet.out", "fleet.out"],
  ["fleet.>", "fleet.out", "fleet.out"],
  ["fleet.out.>", "fleet.out", undefined],
  ["device.*", "device.*.heard", undefined],
  ["device.*.heard", "device.*.heard.partial", undefined],
  ["device.>", "device.a.>", "device.a.>"],
  ["device.a.>", "device.b.heard", undefined],
  ["*.a.*", "device.*.heard", "device.a.heard"],
])("intersect: of %s and %s it is %s", (one, other, both) => {
  expect(intersect(one, other)).toBe(both);
});

test("subscriptions: what TURNS stores is read from its copies, everything else where it is published", () => {
  expect(listSubscriptions("device.k.>")).toEqual([
    "device.k.in.text",
    "device.k.in.audio",
    "device.k.in.control",
    "device.k.in.control.open",
    "device.k.heard.partial",
    "stored.device.k.heard",
    "stored.device.k.say",
    "stored.device.k.say.open",
    "device.k.out",
    "device.k.event",
  ]);
  expect(listSubscriptions("stored.>")).toEqual(["heard", "say", "say.open"].map((name) => `stored.device.*.${name}`));
  expect(listSubscriptions(">")).toHaveLength(allChannels.length + 1);
  expect(listSubscriptions(">", "k")).toEqual(
    listSubscriptions(">").map((subject) =>
      subject.replace("device.*", "device.k").replace("shadow.*.>", "shadow.*.device.k.>"),
    ),
  );
  expect(listSubscriptions("device.*.out", "k")).toEqual(["device.k.out"]);
  expect(() => listSubscriptions("device.hall.>", "k")).toThrow("no subject of the contract fits");
});

test.each(["", "device..out", "device.a b.out", "device.>.out", ".out", "fleet."])(
  "subscriptions: %j is not a pattern",
  (pattern) => {
    expect(() => listSubscriptions(pattern)).toThrow("is not a pattern of subjects");
  },
);

test.each([
  [">", "*", "shadow.*.>"],
  ["shadow.next.>", "*", "shadow.next.>"],
  ["shadow.next.>", "k", "shadow.next.device.k.>"],
  ["shadow.*.device.k.heard", "*", "shadow.*.device.k.heard"],
  ["shadow.*.device.*.say", "k", "shadow.*.device.k.say"],
  ["shadow.next.stats.dialogue", "*", "shadow.next.stats.dialogue"],
])("subscriptions: for %s of the device %s it takes what shadows publish from %s", (pattern, device, expected) => {
  expect(listSubscriptions(pattern, device).filter((subject) => subject.startsWith("shadow."))).toEqual([expected]);
});

test.each([
  "devices.>",
  "device.a.hear",
  "stored.fleet.out",
  "stored.device.a.out",
  "shadow.next.device.a.hear",
  "shadow.next",
  "shadow.next.tool.lamp",
  "shadow.next.stored.device.a.heard",
])("subscriptions: %s fits nothing, and the error lists the subjects", (pattern) => {
  expect(() => listSubscriptions(pattern)).toThrow(/no subject of the contract fits[^]*device\.<id>\.heard/);
});

test("channel: every row is found by a subject of its own, also as a copy of the stream", () => {
  for (const { row, subject } of allChannels) {
    const own = subject.replace("*", "x1");
    expect(findChannel(own)?.row).toBe(row);
    expect(requireChannel(own)).toMatchObject({ subject: own, pattern: row.pattern });
  }
  expect(requireChannel("stored.device.x1.heard").subject).toBe("device.x1.heard");
  expect(findChannel("shadow.next.device.x1.heard")?.row).toBe(channels.heard);
  expect(requireChannel("shadow.next.device.AA:BB:CC:DD:EE:FF.heard")).toMatchObject({
    subject: "shadow.next.device.aa:bb:cc:dd:ee:ff.heard",
    schema: channels.heard.schema,
    delivery: "live",
  });
  for (const subject of ["shadow.next.tool.lamp", "shadow.next.shadow.next.fleet.out", "shadow.next"])
    expect(findChannel(subject)).toBeUndefined();
  expect(() => requireChannel("shadow.a:b.fleet.out")).toThrow("the name of the shadow");
  expect(requireChannel("device.AA:BB:CC:DD:EE:FF.out").subject).toBe("device.aa:bb:cc:dd:ee:ff.out");
});
