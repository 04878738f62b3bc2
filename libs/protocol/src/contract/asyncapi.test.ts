import { createRequire } from "node:module";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { channels, envelopes, hasShadow, stored, type Channel, type ChannelRow } from "../channels.ts";
import { describeAsyncApi } from "./asyncapi.ts";

interface Operation {
  readonly action: string;
  readonly channel: { readonly $ref: string };
  readonly messages: readonly { readonly $ref: string }[];
  readonly reply?: { readonly channel: { readonly $ref: string } };
}
interface Document {
  readonly channels: Readonly<
    Record<
      string,
      {
        readonly address: string | null;
        readonly description: string;
        readonly parameters?: object;
        readonly messages: object;
      }
    >
  >;
  readonly operations: Readonly<Record<string, Operation>>;
  readonly components: { readonly messages: Readonly<Record<string, { readonly headers?: object }>> };
}
const document = describeAsyncApi() as unknown as Document;
const text = JSON.stringify(document);
const rows = Object.values<ChannelRow & { readonly answer?: z.ZodType }>(channels).filter(
  ({ delivery }) => delivery !== "view",
);
const sorted = (addresses: readonly (string | null)[]) => addresses.map(String).toSorted();
const addressOf = (pattern: string) => pattern.replaceAll("<", "{").replaceAll(">", "}");

describe("AsyncAPI document", () => {
  it("is valid AsyncAPI 3", () => {
    const schema = createRequire(import.meta.url)("@asyncapi/specs/schemas/3.0.0.json") as object;
    // The schema brings the draft 7 that Ajv would add.
    const ajv = new Ajv({ meta: false, validateSchema: false, strict: false, allErrors: true, validateFormats: false });
    const validate = ajv.compile(schema);
    validate(JSON.parse(text));
    expect(validate.errors).toBeNull();
    expect(validate({ ...document, channels: { wrong: { address: 5 } } })).toBe(false);
  });

  it("has every channel, what the stream publishes again, what shadows publish, the answers, and no other", () => {
    const again = rows.flatMap(({ pattern, ...row }) =>
      row.delivery === "TURNS"
        ? [stored({ ...row, pattern, subject: pattern } as Channel<z.ZodType, "TURNS">).subject]
        : [],
    );
    const answers = rows.flatMap(({ answer }) => (answer ? [null] : []));
    const shadows = rows.flatMap((row) => (hasShadow(row) ? [`shadow.<shadow>.${row.pattern}`] : []));
    expect(shadows).toContain("shadow.<shadow>.device.<id>.heard");
    expect(shadows.filter((pattern) => /tool\.<name>$|replay/.test(pattern))).toEqual([]);
    const expected = [...rows.map(({ pattern }) => pattern), ...again, ...shadows].map(addressOf);
    const addresses = Object.values(document.channels).map(({ address }) => address);
    expect(sorted(addresses)).toEqual(sorted([...expected, ...answers]));
  });

  it("has every envelope as a message and as a schema, and no other", () => {
    const keys = Object.keys(envelopes).map((name) => name.replace(" ", "-"));
    expect(Object.keys(document.components.messages)).toEqual(keys);
    expect(Object.keys((document.components as unknown as { schemas: object }).schemas)).toEqual(keys);
  });

  it("names each parameter of an address, and no other", () => {
    for (const { address, parameters = {} } of Object.values(document.channels)) {
      const named = [...(address ?? "").matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(Object.keys(parameters)).toEqual(named);
    }
  });

  it("says how each channel is delivered, and which messages carry headers", () => {
    expect(document.channels["say"]?.description).toContain("stream TURNS");
    expect(document.channels["inText"]?.description).toContain("stream DEVICE_IN");
    expect(document.channels["out"]?.description).toContain("at most once");
    const headersOf = (name: string) =>
      Object.keys((document.components.messages[name]?.headers as { properties?: object })?.properties ?? {});
    expect(headersOf("in.audio")).toEqual([]);
    expect(headersOf("say")).toEqual(["traceparent", "tracestate", "Nats-Msg-Id"]);
    expect(headersOf("out")).toEqual(["traceparent", "tracestate"]);
  });

  it("has operations for each channel; only a request has a reply, and only a stream publishes again", () => {
    const of = (channel: string) =>
      Object.values(document.operations).filter(({ channel: { $ref } }) => $ref === `#/channels/${channel}`);
    expect(of("out").map(({ action }) => action)).toEqual(["send", "receive"]);
    expect(of("storedSay").map(({ action }) => action)).toEqual(["receive"]);
    for (const name of Object.keys(document.channels)) {
      const isRequest = Object.hasOwn(document.channels, `${name}Answer`);
      for (const { reply } of of(name)) expect(reply !== undefined).toBe(isRequest);
    }
  });

  it("has no reference that leads nowhere", () => {
    for (const [, path = ""] of text.matchAll(/"\$ref":"#\/([^"]+)"/g))
      expect(document).toHaveProperty(path.split("/"));
  });
});
