import { encode } from "@msgpack/msgpack";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { packetDuration } from "../device/packet-duration.ts";
import { generate } from "../values.suite.ts";
import { readInAudio, readOutAudio } from "./audio-reader.ts";
import { createInAudioWriter } from "./audio-writer.ts";
import { decodeEnvelope, encodeEnvelope } from "./codec.ts";
import { InAudio } from "./inbound.ts";
import { OutAudio } from "./outbound.ts";

/** Values of every kind that MessagePack has, and those next to the limits of the fields. */
const values = fc.oneof(
  fc.constantFrom<unknown>(0, 1, 2, 3, 120, 121, 127, 128, 255, 256, 65_535, 65_536, 0xffff_ffff, 2 ** 32, 2 ** 53),
  fc.constantFrom<unknown>(-1, 2.5, 8_640_000_000_000_000, 8_640_000_000_000_001, Infinity, NaN, null, true, false),
  fc.constantFrom<unknown>("", "audio", "text", "reply", "sentence", "a.b", "é", "x".repeat(31), "x".repeat(32)),
  fc.constantFrom<unknown>("x".repeat(64), "x".repeat(65), "x".repeat(160), "x".repeat(161), "x".repeat(256), [], {}),
  fc.uint8Array({ maxLength: 300 }),
);
const names = ["v", "n", "seq", "at", "kind", "body", "session", ...Object.keys(OutAudio.shape), "fieldOfTomorrow"];

describe.each([
  ["in", InAudio, readInAudio],
  ["out", OutAudio, readOutAudio],
] as const)("audio reader, %s", (_name, schema, read) => {
  // A twin of the schema, which the decoder does not know: it is read by the general decoder.
  const general = z.object(schema.shape);
  const decodeGenerally = (data: Uint8Array): unknown => {
    try {
      return decodeEnvelope(general, data);
    } catch {
      return undefined;
    }
  };
  const frames = (generate(schema) as fc.Arbitrary<Record<string, unknown>>).map((frame) =>
    frame["duration"] === undefined ? frame : { ...frame, duration: Math.ceil(frame["duration"] as number) },
  );

  it("every usual frame: is read, as the general decoder reads it", () => {
    fc.assert(
      fc.property(frames, (frame) => {
        const data = encodeEnvelope(z.any(), frame);
        const isPlain = !/[^\0-\x7f]/.test(JSON.stringify(frame["reply"] ?? ""));
        expect(read(data)).toEqual(isPlain ? decodeGenerally(data) : undefined);
      }),
    );
  });

  it("a frame with any values, fields, and order: is read as the general decoder reads it, or left to it", () => {
    const strange = fc.dictionary(fc.constantFrom(...names), values, { maxKeys: 6 });
    fc.assert(
      fc.property(
        frames,
        strange,
        fc.boolean(),
        fc.constantFrom(1, 1, 1, 2, 0, "1", undefined),
        (frame, more, first, v) => {
          const merged = first ? { ...more, v, ...frame } : { v, ...frame, ...more };
          const data = encode(merged, { ignoreUndefined: true });
          const usual = read(data);
          if (usual !== undefined) expect(usual).toStrictEqual(decodeGenerally(data));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("a frame with changed, lost or added bytes: is read as the general decoder reads it, or left to it", () => {
    fc.assert(
      fc.property(frames, fc.nat(), fc.nat(255), fc.constantFrom("change", "cut", "add"), (frame, at, byte, how) => {
        const data = Buffer.from(encodeEnvelope(z.any(), frame));
        if (how === "change") data[at % data.length] = byte;
        const changed = how === "cut" ? data.subarray(0, at % data.length) : data;
        const sent = Uint8Array.from(how === "add" ? [...data, byte] : changed);
        const usual = read(sent);
        if (usual !== undefined) expect(usual).toStrictEqual(decodeGenerally(sent));
      }),
      { numRuns: 2000 },
    );
  });

  it("a field twice, and a view into a longer buffer: as the general decoder reads them", () => {
    const [frame] = fc.sample(frames, { numRuns: 1, seed: 3 });
    const data = encodeEnvelope(z.any(), frame as object);
    const twice = Uint8Array.from([...data, ...encode("kind"), ...encode("audio")]);
    twice[0] = (twice[0] ?? 0) + 1;
    expect(read(twice)).toEqual(decodeGenerally(data));
    const around = Buffer.concat([Buffer.of(1, 2, 3), data, Buffer.of(4)]);
    const view = new Uint8Array(around.buffer, around.byteOffset + 3, data.byteLength);
    expect(read(view)).toEqual(decodeGenerally(data));
  });
});

describe("audio writer", () => {
  it("every frame: has its packet's duration, and is usual for the reader if that is whole", () => {
    fc.assert(
      fc.property(generate(InAudio) as fc.Arbitrary<InAudio>, fc.integer({ min: 0, max: 2 ** 44 }), (frame, at) => {
        const data = Uint8Array.from(createInAudioWriter(frame.session)(frame.seq, at, frame.body));
        const duration = packetDuration(frame.body);
        const expected = { ...frame, at, duration };
        expect(decodeEnvelope(z.object(InAudio.shape), data)).toEqual(expected);
        expect(readInAudio(data)).toEqual(Number.isInteger(duration) ? expected : undefined);
      }),
      { numRuns: 500 },
    );
  });

  it("a usual packet: the bytes are the general encoder's, with the widths of the largest values", () => {
    const frame = { session: "s", seq: 0xffff_ffff, at: 2 ** 40, kind: "audio", duration: 60 } as const;
    const body = Uint8Array.from({ length: 300 }, (_, at) => (at === 0 ? 0x18 : at));
    const general = encodeEnvelope(InAudio, { ...frame, body });
    expect(Uint8Array.from(createInAudioWriter("s")(frame.seq, frame.at, body))).toEqual(Uint8Array.from(general));
  });

  it("the audio of an older gateway: is read without a duration", () => {
    const frame = { session: "s", seq: 3, at: 1, kind: "audio", body: Uint8Array.of(0xf8) } as const;
    const data = encodeEnvelope(InAudio, frame);
    expect(decodeEnvelope(InAudio, data)).toEqual(frame);
    expect(readInAudio(data)).toEqual(frame);
  });

  it("bytes: are the caller's own, untouched by the next frame", () => {
    const write = createInAudioWriter("s");
    const first = write(1, 1, Uint8Array.of(1));
    const copy = Uint8Array.from(first);
    write(2, 2, Uint8Array.of(2));
    expect(Uint8Array.from(first)).toEqual(copy);
  });
});
