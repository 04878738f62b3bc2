import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deviceKey, deviceOfKey, isDeviceId, isName, parseDeviceId, parseName } from "./ids.ts";
import { channels, deviceOfSubject, stored } from "./channels.ts";

const badId = (field: string) => expect.objectContaining({ name: "ProtocolError", code: "bad-id", field }) as Error;
const illegal = ["", "*", ">", "a.b", "a b", "a\tb", "a\n", "a/b", "a=b", "é", "$SYS", "a".repeat(65), "a\0"];
const deviceIds = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9:_-]{0,63}$/);

describe("parseDeviceId", () => {
  it.each(illegal)("illegal: %j is refused", (raw) => {
    expect(() => parseDeviceId(raw)).toThrow(badId("device-id"));
    expect(isDeviceId(raw)).toBe(false);
  });

  it.each(["a", "xiaozhi-test-000001", "A_b-c:1", "a".repeat(64), "AA:BB:CC:DD:EE", "AABBCCDDEEFF", "web_Page"])(
    "legal: %s is taken as it is",
    (raw) => {
      expect(parseDeviceId(raw)).toBe(raw);
      expect(isDeviceId(raw)).toBe(true);
    },
  );

  it.each([
    ["AA:BB:CC:DD:EE:FF", "aa:bb:cc:dd:ee:ff"],
    ["aa-BB-cc-DD-ee-FF", "aa-bb-cc-dd-ee-ff"],
    ["aa:bb:cc:dd:ee:ff", "aa:bb:cc:dd:ee:ff"],
  ])("MAC addresses: %s becomes %s", (raw, id) => {
    expect(parseDeviceId(raw)).toBe(id);
    expect(isDeviceId(raw)).toBe(raw === id);
  });

  it("any text: an id that passes is one token of a subject, and the second pass changes nothing", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), deviceIds), (raw) => {
        let id: string;
        try {
          id = parseDeviceId(raw);
        } catch (error) {
          expect(error).toMatchObject({ code: "bad-id" });
          return;
        }
        expect(parseDeviceId(id)).toBe(id);
        expect(channels.out(id).subject.split(".")).toHaveLength(3);
        expect(channels.out(id).subject).not.toMatch(/[*>\s]/);
      }),
    );
  });
});

describe("parseName", () => {
  it.each([...illegal, "a:b"])("illegal: %j is refused, naming the field", (raw) => {
    expect(() => parseName(raw, "group")).toThrow(badId("group"));
    expect(isName(raw)).toBe(false);
  });

  it("legal: letters, digits, _ and - up to 64, as they are", () => {
    for (const raw of ["a", "Hall-8000", "a".repeat(64)]) expect(parseName(raw, "gateway")).toBe(raw);
  });
});

describe("deviceKey", () => {
  it("keys: every device comes back from its key, and no key holds what NATS forbids", () => {
    fc.assert(
      fc.property(deviceIds, (id) => {
        expect(deviceKey(id)).toMatch(/^[A-Za-z0-9=_-]+$/);
        expect(deviceOfKey(deviceKey(id))).toBe(id);
      }),
    );
  });

  it("other keys: are no device's", () => {
    expect(deviceOfKey("=default")).toBeUndefined();
  });
});

describe("deviceOfSubject", () => {
  it("subjects: the device is found in each of its own, stored or not", () => {
    fc.assert(
      fc.property(deviceIds, (id) => {
        for (const toChannel of Object.values(channels)) {
          const isDevices = toChannel.pattern.startsWith("device.");
          expect(deviceOfSubject(toChannel(id).subject)).toBe(isDevices ? id : undefined);
        }
        expect(deviceOfSubject(stored(channels.heard(id)).subject)).toBe(id);
      }),
    );
  });

  it.each(["fleet.out", "gateway.hall.command", "alert.high", "device.a", ""])("others: %j has none", (subject) => {
    expect(deviceOfSubject(subject)).toBeUndefined();
  });
});
