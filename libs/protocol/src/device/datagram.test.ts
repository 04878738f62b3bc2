import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeDatagramHeader, encodeDatagramHeader } from "./datagram.ts";

const header = fc.record({
  flags: fc.nat(255),
  ssrc: fc.nat(0xffff_ffff),
  size: fc.integer({ min: 1, max: 1384 }),
  timestamp: fc.nat(0xffff_ffff),
  seq: fc.nat(0xffff_ffff),
});

describe("the header of a datagram", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(header, (fields) => {
        const datagram = Buffer.concat([encodeDatagramHeader(fields), new Uint8Array(fields.size)]);
        expect(decodeDatagramHeader(datagram)).toEqual(fields);
      }),
    );
  });

  it("is refused by its field, whatever arrives", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (data) => {
        try {
          expect(decodeDatagramHeader(data).size).toBe(data.byteLength - 16);
        } catch (error) {
          expect(error).toMatchObject({ code: "bad-frame" });
        }
      }),
    );
  });

  it.each([0, 16, 1401, 60_000])("is refused in a datagram of %i bytes", (bytes) => {
    expect(() => decodeDatagramHeader(new Uint8Array(bytes).fill(1))).toThrow(/17 to 1400 bytes/);
  });
});
