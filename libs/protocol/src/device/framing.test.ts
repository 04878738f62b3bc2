import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeFrame, encodeFrame, type FramingVersion } from "./framing.ts";

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const packet = bytes("f8 ff fe");
const examples: readonly (readonly [FramingVersion, string])[] = [
  [1, "f8 ff fe"],
  [2, "00 02 00 00 00 00 00 00 00 00 0b b8 00 00 00 03 f8 ff fe"],
  [3, "00 00 00 03 f8 ff fe"],
];
const badFrame = (field: string) =>
  expect.objectContaining({ name: "ProtocolError", code: "bad-frame", field }) as Error;

describe("framing", () => {
  it.each(examples)("version %i: byte for byte as in docs/protocol.md", (version, hex) => {
    expect(encodeFrame(version, packet, 3000)).toEqual(bytes(hex));
    expect(decodeFrame(version, bytes(hex))).toEqual({ packet, timestamp: version === 2 ? 3000 : 0 });
  });

  it.each([1, 2, 3] as const)("version %i: every packet comes back as it was", (version) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4000 }), fc.nat(0xffffffff), (sent, timestamp) => {
        const frame = decodeFrame(version, encodeFrame(version, sent, timestamp));
        expect(frame.packet).toEqual(sent);
        expect(frame.timestamp).toBe(version === 2 ? timestamp : 0);
      }),
    );
  });

  it("timestamps: wrap at 32 bits", () => {
    expect(decodeFrame(2, encodeFrame(2, packet, 2 ** 32 + 5)).timestamp).toBe(5);
  });

  it("a view into a larger buffer: read at its own offset", () => {
    const around = Uint8Array.of(9, 9, 9, ...bytes(examples[1]?.[1] ?? ""), 9);
    expect(decodeFrame(2, around.subarray(3, -1))).toEqual({ packet, timestamp: 3000 });
  });

  it.each([
    [2, 16],
    [3, 4],
  ] as const)("version %i: a header cut at any of its %i bytes is refused", (version, header) => {
    const whole = encodeFrame(version, packet);
    for (let length = 0; length < header; length += 1) {
      expect(() => decodeFrame(version, whole.subarray(0, length))).toThrow(badFrame("header"));
    }
  });

  it.each([2, 3] as const)("version %i: a length that does not match what follows is refused", (version) => {
    const whole = encodeFrame(version, packet);
    expect(() => decodeFrame(version, whole.subarray(0, -1))).toThrow(badFrame("payload_size"));
    expect(() => decodeFrame(version, Uint8Array.of(...whole, 0))).toThrow(badFrame("payload_size"));
  });

  it("version 2: bytes 0 to 7 are not looked at, as bridges leave them empty or use them otherwise", () => {
    expect(decodeFrame(2, bytes("00 00 00 00 00 00 00 00 00 00 0b b8 00 00 00 03 f8 ff fe")).timestamp).toBe(3000);
    expect(decodeFrame(2, bytes("01 00 00 03 00 00 00 07 00 00 0b b8 00 00 00 03 f8 ff fe")).packet).toEqual(packet);
  });

  it("version 3: a packet over 65,535 bytes cannot be written", () => {
    expect(encodeFrame(3, new Uint8Array(65_535)).byteLength).toBe(65_539);
    expect(() => encodeFrame(3, new Uint8Array(65_536))).toThrow(badFrame("payload_size"));
  });

  it("any bytes: give a frame or a ProtocolError", () => {
    fc.assert(
      fc.property(fc.constantFrom<FramingVersion>(2, 3), fc.uint8Array({ maxLength: 40 }), (version, data) => {
        try {
          expect(decodeFrame(version, data).packet.byteLength).toBe(data.byteLength - (version === 2 ? 16 : 4));
        } catch (error) {
          expect(error).toMatchObject({ name: "ProtocolError", code: "bad-frame" });
        }
      }),
    );
  });
});
