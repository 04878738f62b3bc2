import { describe, expect, it } from "vitest";
import { z } from "zod";
import { buckets } from "./buckets.ts";
import { envelopes } from "./channels.ts";
import { deviceMessages, parseDeviceMessage } from "./device/inbound.ts";
import { serverMessages } from "./device/outbound.ts";
import { decodeEnvelope, encodeEnvelope } from "./envelopes/codec.ts";
import { Outbound } from "./envelopes/outbound.ts";
import { ProtocolError } from "./errors.ts";

const huge = {
  text: "x".repeat(1_000_000),
  bytes: new Uint8Array(2_000_000),
  list: Array.from({ length: 20_000 }, () => 0),
  map: Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`k${at}`, 0])),
} as const;
const latest = 8_640_000_000_000_000; // beyond, a Date is invalid and formatting it throws

/** Lists the paths of values without a limit. */
function findUnbounded(schema: z.ZodType, path: string): string[] {
  const check = (value: unknown) => (schema.safeParse(value).success ? [path] : []);
  if (schema instanceof z.ZodObject)
    return Object.entries(schema.shape).flatMap(([key, field]) => findUnbounded(field as z.ZodType, `${path}.${key}`));
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => findUnbounded(option as z.ZodType, path));
  if (schema instanceof z.ZodTuple)
    return (schema.def.items as z.ZodType[]).flatMap((item) => findUnbounded(item, `${path}[]`));
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodCatch)
    return findUnbounded(schema.unwrap() as z.ZodType, path);
  if (schema instanceof z.ZodPipe) return findUnbounded(schema.in as z.ZodType, path);
  if (schema instanceof z.ZodRecord)
    return [...check(huge.map), ...findUnbounded(schema.valueType as z.ZodType, `${path}{}`)];
  if (schema instanceof z.ZodArray)
    return [
      ...(schema.def.checks?.some(({ _zod: { def } }) => def.check === "max_length") ? [] : [path]),
      ...findUnbounded(schema.element as z.ZodType, `${path}[]`),
    ];
  if (schema instanceof z.ZodString) return check(huge.text);
  if (schema instanceof z.ZodCustom) return check(huge.bytes);
  if (schema instanceof z.ZodNumber) {
    const bounds = [schema.minValue, schema.maxValue];
    return bounds.every((bound) => bound !== null && Math.abs(bound) <= latest) ? [] : [path];
  }
  // Values of unknown shape are bounded by the number of values in their message.
  return [];
}

describe("bounds", () => {
  it.each([
    ...Object.entries<z.ZodType>(envelopes),
    ...Object.entries<z.ZodType>(deviceMessages),
    ...Object.entries<z.ZodType>(serverMessages),
    ...Object.entries(buckets).map(([name, { schema }]) => [name, schema] as const),
  ])("%s: every text, number, list, map and body has a limit", (name, schema) => {
    expect(findUnbounded(schema, name)).toEqual([]);
  });

  it("an audio body: holds what framing 3 can express, and no byte more", () => {
    const decode = (length: number) =>
      decodeEnvelope(Outbound, encodeEnvelope(z.any(), { kind: "audio", duration: 60, body: new Uint8Array(length) }));
    expect(decode(65_535).body).toHaveLength(65_535);
    expect(() => decode(65_536)).toThrow(expect.objectContaining({ code: "bad-envelope", field: "body" }) as Error);
  });

  it("a message: holds at most 32,768 values, in whatever containers", () => {
    const decode = (values: number) => {
      const payload = { list: Array.from({ length: 8 }, () => Array.from({ length: values / 8 }, () => 0)) };
      const body = { type: "custom", payload };
      return () => decodeEnvelope(Outbound, encodeEnvelope(z.any(), { kind: "text", body }));
    };
    expect(decode(32_000)).not.toThrow();
    expect(decode(33_600)).toThrow(ProtocolError);
  });

  it("a device's message: holds at most 1024 values", () => {
    const parse = (values: number) => () =>
      parseDeviceMessage(
        JSON.stringify({
          type: "mcp",
          payload: { list: [Array.from({ length: values / 2 }, () => 0), Array.from({ length: values / 2 }, () => 0)] },
        }),
      );
    expect(parse(1000)).not.toThrow();
    expect(parse(1024)).toThrow(expect.objectContaining({ code: "bad-message", field: "message" }) as Error);
  });

  it("typed text: at most 4096 bytes of UTF-8", () => {
    const parse = (text: string) => () => parseDeviceMessage(JSON.stringify({ type: "listen", state: "detect", text }));
    expect(parse("x".repeat(4096))).not.toThrow();
    for (const text of ["x".repeat(4097), "é".repeat(2049)])
      expect(parse(text)).toThrow(expect.objectContaining({ code: "bad-message", field: "text" }) as Error);
  });
});
