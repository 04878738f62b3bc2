import type { z } from "zod";
import {
  channels,
  envelopes,
  hasShadow,
  shadowOf,
  stored,
  type Channel,
  type ChannelRow,
  type Delivery,
} from "../channels.ts";
import { busVersion } from "../envelopes/fields.ts";
import { severities } from "../envelopes/operations.ts";
import { describeEnvelopes, type JsonSchema } from "./json-schema.ts";

const contentType = "application/msgpack";

const plainName = { description: "A name: 1 to 64 characters of A-Z a-z 0-9 _ -." };
/** The parameters in subjects that are no plain names. */
const parameters: Readonly<Record<string, object>> = {
  id: { description: "A device id: 1 to 64 characters of A-Z a-z 0-9 : _ -, the first no colon." },
  shadow: { description: "The name of the shadow: 1 to 64 characters of A-Z a-z 0-9 _ -." },
  severity: { description: "The severity of the alert.", enum: severities },
};

const deliveries: Readonly<Record<Delivery, string>> = {
  live: "Core NATS, at most once.",
  DEVICE_IN: "Stored in the stream DEVICE_IN.",
  TURNS: "Stored in the stream TURNS.",
  republished: "Published again by the stream TURNS, after it stored the message.",
  request: "A request, which is answered.",
  view: "Every message of the subjects that match.",
};

/** A channel of the document: a row of the table, what a stream publishes again, or what a shadow publishes in its place. */
interface Row {
  readonly name: string;
  readonly row: ChannelRow & { readonly answer?: z.ZodType };
}

/**
 * Describes the bus as an AsyncAPI 3 document: a channel for each subject, a message for each envelope, and the operations
 * that a program may perform. Patterns over several subjects, such as `device.<id>.in.>`, are left out.
 */
export function describeAsyncApi(): JsonSchema {
  const rows = listRows();
  return {
    asyncapi: "3.0.0",
    info: {
      title: "voxbus",
      version: `${busVersion}`,
      description:
        "Messages between the programs of a backend for voice devices, on NATS. docs/bus.md has their meaning. Every message is a MessagePack map; the schemas show bytes as base64.",
      license: { name: "Apache-2.0" },
    },
    defaultContentType: contentType,
    channels: Object.fromEntries(rows.flatMap(describeChannel)),
    operations: Object.fromEntries(rows.flatMap(describeOperations)),
    components: {
      messages: Object.fromEntries(Object.keys(envelopes).map((name) => [keyOf(name), describeMessage(name, rows)])),
      schemas: Object.fromEntries(
        [...describeEnvelopes()].map(([name, schema]) => [keyOf(name), withoutDialect(schema)]),
      ),
    },
  };
}

function listRows(): readonly Row[] {
  return Object.entries(channels).flatMap(([name, row]): readonly Row[] => {
    if (row.delivery === "view") return [];
    const channel: Channel = row(`<${row.pattern.split(/[<>]/)[1]}>`);
    const derived = (prefix: string, one: Channel) => ({
      name: `${prefix}${name.charAt(0).toUpperCase()}${name.slice(1)}`,
      row: { ...one, schema: row.schema, pattern: one.subject },
    });
    return [
      { name, row },
      ...(row.delivery === "TURNS" ? [derived("stored", stored(channel as Channel<z.ZodType, "TURNS">))] : []),
      ...(hasShadow(row) ? [derived("shadow", shadowOf(channel, "<shadow>"))] : []),
    ];
  });
}

function describeChannel({ name, row }: Row): readonly (readonly [string, object])[] {
  const { pattern, delivery, schema, answer } = row;
  const names = [...pattern.matchAll(/<(\w+)>/g)].map(([, parameter = ""]) => parameter);
  const channel = {
    address: pattern.replaceAll(/<(\w+)>/g, "{$1}"),
    description: deliveries[delivery],
    ...(names.length === 0
      ? {}
      : { parameters: Object.fromEntries(names.map((one) => [one, parameters[one] ?? plainName])) }),
    messages: messagesOf(schema),
  };
  if (answer === undefined) return [[name, channel]];
  const reply = { address: null, description: "The inbox of the request.", messages: messagesOf(answer) };
  return [
    [name, channel],
    [`${name}Answer`, reply],
  ];
}

function messagesOf(schema: z.ZodType): object {
  const key = keyOf(envelopeOf(schema));
  return { [key]: { $ref: `#/components/messages/${key}` } };
}

function describeOperations({ name, row }: Row): readonly (readonly [string, object])[] {
  const { delivery, schema, answer } = row;
  const operation = (action: "send" | "receive") => {
    const reply =
      answer === undefined
        ? {}
        : { reply: { channel: { $ref: `#/channels/${name}Answer` }, messages: [refOf(`${name}Answer`, answer)] } };
    const key = `${action}${name.charAt(0).toUpperCase()}${name.slice(1)}`;
    return [
      key,
      { action, channel: { $ref: `#/channels/${name}` }, messages: [refOf(name, schema)], ...reply },
    ] as const;
  };
  // Only a stream publishes what it stored.
  return delivery === "republished" ? [operation("receive")] : [operation("send"), operation("receive")];
}

function refOf(channel: string, schema: z.ZodType): object {
  return { $ref: `#/channels/${channel}/messages/${keyOf(envelopeOf(schema))}` };
}

function describeMessage(name: string, rows: readonly Row[]): object {
  const own = rows.filter(({ row }) => row.schema === envelopes[name as keyof typeof envelopes]);
  const isStored = own.some(({ row }) => row.delivery === "DEVICE_IN" || row.delivery === "TURNS");
  const headers = {
    ...(own.some(({ row }) => row.traced)
      ? {
          traceparent: { type: "string", description: "W3C Trace Context" },
          tracestate: { type: "string", description: "W3C Trace Context" },
        }
      : {}),
    ...(isStored ? { "Nats-Msg-Id": { type: "string", description: "The id by which a stream stores it once." } } : {}),
  };
  return {
    name,
    title: name,
    contentType,
    ...(Object.keys(headers).length === 0 ? {} : { headers: { type: "object", properties: headers } }),
    payload: { $ref: `#/components/schemas/${keyOf(name)}` },
  };
}

function envelopeOf(schema: z.ZodType): string {
  const found = Object.entries<z.ZodType>(envelopes).find(([, one]) => one === schema);
  if (found === undefined) throw new Error("expected a channel whose schema is in the table of envelopes");
  return found[0];
}

/** Component names have no spaces. */
function keyOf(name: string): string {
  return name.replaceAll(" ", "-");
}

function withoutDialect({ $schema: _dialect, ...schema }: JsonSchema): JsonSchema {
  return schema;
}
