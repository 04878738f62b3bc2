import { z } from "zod";
import { buckets, type BucketRow } from "../buckets.ts";
import { envelopes } from "../channels.ts";
import { busVersion } from "../envelopes/fields.ts";
import { OwnProfile, StoredProfile } from "../profile.ts";

/** A JSON Schema of draft 7, which tools of most languages read. */
export type JsonSchema = Readonly<Record<string, unknown>>;

const dialect = "http://json-schema.org/draft-07/schema#";
const asJson = "Bytes are written as base64. Readers ignore fields that they do not know.";

/** Gives the JSON Schema of every envelope by its name in docs/bus.md, `v` included. */
export function describeEnvelopes(): ReadonlyMap<string, JsonSchema> {
  return new Map(Object.entries<z.ZodType>(envelopes).map(([name, schema]) => [name, describeEnvelope(name, schema)]));
}

/** Gives the JSON Schema of the values of every kind of bucket entry, by its name in `buckets`. */
function describeBuckets(): ReadonlyMap<string, JsonSchema> {
  return new Map(Object.entries<BucketRow>(buckets).map(([name, row]) => [name, describeBucket(row)]));
}

/** Gives every JSON Schema by the path of its file in docs/contract, such as `envelopes/say.json`. */
export function describeContract(): ReadonlyMap<string, JsonSchema> {
  return new Map([
    ...[...describeEnvelopes()].map(([name, schema]) => [`envelopes/${fileOf(name)}`, schema] as const),
    ...[...describeBuckets()].map(([name, schema]) => [`buckets/${fileOf(name)}`, schema] as const),
  ]);
}

/** Writes `replay request` and `toolCalls` as `replay-request.json` and `tool-calls.json`. */
function fileOf(name: string): string {
  return `${name.replaceAll(/ |(?=[A-Z])/g, "-").toLowerCase()}.json`;
}

function describeEnvelope(title: string, schema: z.ZodType): JsonSchema {
  const { properties = {}, required = [], ...rest } = describe(schema);
  return {
    $schema: dialect,
    title,
    description: `The envelope \`${title}\`, a MessagePack map. ${asJson}`,
    ...rest,
    type: "object",
    properties: { v: { type: "integer", const: busVersion }, ...properties },
    required: ["v", ...required],
  };
}

function describeBucket({ bucket, pattern, schema }: BucketRow): JsonSchema {
  const isProfile = schema === StoredProfile;
  const kept = isProfile ? " A field that does not match counts as absent." : "";
  return {
    $schema: dialect,
    title: `${bucket} ${pattern}`,
    description: `The value of \`${pattern}\` in the bucket \`${bucket}\`, JSON. Readers ignore fields that they do not know.${kept}`,
    // A stored profile is any map for its reader, so that one bad field does not hide the others.
    ...describe(isProfile ? OwnProfile : schema),
  };
}

function describe(schema: z.ZodType) {
  // Bytes are custom types for zod. Their fields say themselves how they are written.
  const { $schema: _dialect, ...described } = z.toJSONSchema(schema, {
    target: "draft-7",
    io: "input",
    unrepresentable: "any",
  });
  return described;
}
